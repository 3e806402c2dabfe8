#!/usr/bin/env python3
"""Counts how often a calibration is right, undecided or wrong on models whose true calibration is known.

    python scripts/soak/calibrating.py [--seeds 10] [--random 20]

The script calibrates nano unmodified, with its states one position early, with the row of an unrelated word for the
first depth token, and with both, each with more and more noise on the states. Then it calibrates random pairs, for
which every decision is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from tests.altered import Alter, AlteredEngine, noisy, rolled, zero_based
from youtu_gguf.engines.base import PatchStates

NOISES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Standard deviations of the noise, relative to that of the states."""


def chain(*steps: Alter) -> Alter:
    def alter(states: PatchStates) -> PatchStates:
        for step in steps:
            states = step(states)
        return states

    return alter


def judge(report: yg.calibration.CalibrationReport, truth: dict[str, object], counts: Counter[tuple[str, str]]) -> None:
    for finding in report.findings:
        if finding.question in truth:
            right = finding.answer == truth[finding.question]
            verdict = "undecided" if finding.answer is None else "right" if right else "wrong"
            counts[finding.question, verdict] += 1


def show(title: str, counts: Counter[tuple[str, str]]) -> int:
    for question in dict.fromkeys(question for question, _ in counts):
        figures = ", ".join(f"{counts[question, verdict]:4} {verdict}" for verdict in ("right", "undecided", "wrong"))
        print(f"{title:24}{question:16}{figures}", flush=True)
    return sum(n for (_, verdict), n in counts.items() if verdict == "wrong")


def altered_nano(n_seeds: int) -> int:
    n_wrong = 0
    with yg.load("nano", threads=1, calibration="default") as nano:
        apart = zero_based(nano.engine, "person")
        for noise in NOISES:
            counts: Counter[tuple[str, str]] = Counter()
            for seed in range(n_seeds if noise else 1):
                for shift, base in ((0, 1), (-1, 1), (0, 0), (-1, 0)):
                    steps = [noisy(noise, seed), rolled(-shift), *([] if base else [apart])]
                    model = yg.load(engine=AlteredEngine(nano.engine, chain(*steps)))
                    truth: dict[str, object] = {"position_shift": shift, "leading_space": False, "bin_base": base}
                    truth["normalise"] = "pixels"
                    judge(yg.calibration.run(model), truth, counts)
            n_wrong += show(f"nano, noise {noise:g}", counts)
    return n_wrong


def random_weights(n_pairs: int) -> int:
    counts: Counter[tuple[str, str]] = Counter()
    truth = dict.fromkeys(("position_shift", "leading_space", "normalise", "bin_base", "final_period", "refine"))
    for seed in range(n_pairs):
        with tempfile.TemporaryDirectory() as folder:
            pair = yg.weights.write_synthetic_pair(folder, "tiny", seed=seed)
            with yg.load(*pair, threads=1, n_ctx=1024, calibration="default") as model:
                judge(yg.calibration.run(model), truth, counts)
    return show("random weights", counts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=count, default=10)
    parser.add_argument("--random", type=count, default=20)
    arguments = parser.parse_args()
    np.seterr(all="raise", under="ignore")
    n_wrong = altered_nano(arguments.seeds) + random_weights(arguments.random)
    print(f"{n_wrong} wrong")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
