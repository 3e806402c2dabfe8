#!/usr/bin/env python3
"""Answers of every kind, whole and damaged, through the parsers.

    python scripts/soak/answers.py -n 50000 --seed 7

A whole answer must give exactly the values from which it was written. For a damaged answer a parser must raise nothing,
return no value that is not in the text at the place that the parser names, keep every item that is still whole, and
drop no number without an issue. The script prints the first answer that fails and exits with status 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.soak._judging import JUDGES
from scripts.soak._mutating import KINDS, mutated

WHOLE_SHARE = 0.2


def judged(kind: str, rng: random.Random) -> tuple[str, str, str]:
    """Make one answer and read it; return whether it was whole or damaged, its text, and what is wrong."""
    written = KINDS[kind](rng)
    if rng.random() < WHOLE_SHARE:
        return "whole", written.text, JUDGES[kind].misread(written)
    text = mutated(rng, written.text)
    try:
        return "damaged", text, JUDGES[kind].invented(text)
    except Exception as exc:  # noqa: BLE001  (any exception is a finding)
        return "damaged", text, f"{type(exc).__name__}: {exc}"


def run(n: int, seed: int) -> tuple[Counter[str], str]:
    """Read `n` answers of all kinds in turn; return how many of each were read, and the first fault or ""."""
    outcomes: Counter[str] = Counter()
    kinds = list(KINDS)
    for number in range(n):
        kind = kinds[number % len(kinds)]
        state, text, flaw = judged(kind, random.Random(seed * 1_000_003 + number))
        outcomes[f"{kind}, {state}"] += 1
        if flaw:
            return outcomes, f"number {number}, {kind}, {state}: {flaw}\n{text!r}"
    return outcomes, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--n", type=count, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started = time.perf_counter()
    outcomes, fault = run(args.n, args.seed)
    for outcome, times in sorted(outcomes.items()):
        print(f"{times:6} {outcome}")
    print(f"{outcomes.total()} answers in {time.perf_counter() - started:.0f} s")
    sys.exit(fault or 0)


if __name__ == "__main__":
    main()
