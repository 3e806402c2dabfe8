#!/usr/bin/env python3
"""How often the guard against endless answers ends a correct one, and after how many tokens it ends endless ones.

    python scripts/soak/repetition.py                    # 400 answers of each of 32 correct kinds, 40 of each endless
    python scripts/soak/repetition.py --correct 2000 --endless 200 --seed 7

Exit code 1 if a correct answer was ended.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.soak._correct import CORRECT
from scripts.soak._endless import ENDLESS, PIECES, tokens
from youtu_gguf.engines.repetition import LoopGuard

_PIECE = re.compile(r"<[^<>\s]{1,24}>| ?[^\W\d_]+|\d|\n| +|.", re.DOTALL)
MOST_LETTERS = 7


def pieces(text: str, digits: int) -> Iterator[str]:
    """Cut a text into something like tokens: tags, short words with their space, groups of digits, signs."""
    pattern = _PIECE if digits == 1 else re.compile(_PIECE.pattern.replace(r"|\d|", rf"|\d{{1,{digits}}}|"), re.DOTALL)
    for piece in pattern.findall(text):
        if piece[0] == "<" and piece[-1] == ">":
            yield piece
        else:
            yield from (piece[n : n + MOST_LETTERS] for n in range(0, len(piece), MOST_LETTERS))


def ended_after(answer: Iterable[str]) -> int | None:
    """Return after how many tokens the guard ends an answer; None if it does not."""
    guard, ids = LoopGuard(), dict[str, int]()
    for n, piece in enumerate(answer, 1):
        if guard.add(ids.setdefault(piece, len(ids)), piece):
            return n
    return None


def false_alarms(name: str, n_answers: int, seed: int) -> tuple[int, int]:
    """Return how many correct answers of a kind were ended, and how many tokens all had."""
    n_ended = n_tokens = 0
    for number in range(n_answers):
        draw = Random(f"{seed} {name} {number}")
        answer = list(islice(pieces(CORRECT[name](draw), draw.choice((1, 3))), PIECES))
        n_tokens += len(answer)
        n_ended += ended_after(answer) is not None
    return n_ended, n_tokens


def caught(name: str, n_answers: int, seed: int) -> list[int]:
    """Return after how many tokens endless answers of a kind were ended, of those that were."""
    ends = (ended_after(tokens(name, Random(f"{seed} {name} {number}"))) for number in range(n_answers))
    return [end for end in ends if end is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--correct", type=count, default=400, help="correct answers of each kind")
    parser.add_argument("--endless", type=count, default=40, help="endless answers of each kind")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    n_wrong = n_answers = n_tokens = 0
    started = time.process_time()
    for name in CORRECT:
        n_ended, n = false_alarms(name, args.correct, args.seed)
        n_wrong, n_answers, n_tokens = n_wrong + n_ended, n_answers + args.correct, n_tokens + n
        print(f"{name:40}{args.correct:7} correct{n / max(1, args.correct):9.0f} tokens{n_ended:7} ended", flush=True)
    per_token = 1e6 * (time.process_time() - started) / max(1, n_tokens)
    print(
        f"{n_wrong} of {n_answers} correct answers, {n_tokens / 1e6:.1f} million tokens, were ended; "
        f"{per_token:.0f} us a token"
    )
    for name in ENDLESS:
        ends = caught(name, args.endless, args.seed)
        when = f"{statistics.median(ends):9.0f} tokens, at most {max(ends)}" if ends else ""
        print(f"{name:40}{len(ends):5} of {args.endless} ended{when}", flush=True)
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
