#!/usr/bin/env python3
"""Averages the weights of several runs that went on from each other, each with a share.

A run that asks more of one task forgets a little of the others. The mean of its weights and those of the runs before
keeps most of both, without any training (model soups: Wortsman et al. 2022, arXiv:2203.05482). Weights of runs that
began apart from each other have no useful mean. A pair that was exported counts as a run, as the one that a run began
with (train.py --start) often has no checkpoint any more. Needs no PyTorch.

    python scripts/nano/average.py ~/nano-run/mean ~/nano-run/4=0.2 ~/nano-run/5=0.2 ~/nano-run/6=0.6
    python scripts/nano/average.py ~/nano-run/mean models/nano=0.6 ~/nano-run/8=0.4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts.nano.export import WEIGHTS, Checkpoint
from scripts.nano.start import read_pair
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.errors import InputError, YoutuError

_EXACT = 1e-6
"""Most deviation of the sum of the shares from 1."""


def average(runs: Sequence[tuple[Path, float]]) -> Checkpoint:
    """Return the mean of the weights of some runs.

    Args:
        runs: Their folders, or folders of exported pairs, each with its share; the shares add up to 1.

    Raises:
        InputError: The shares do not add up to 1, a folder holds no run, all are pairs, or runs have other sizes,
            tokens or tensors than the first one.
        ModelFileError: A pair is damaged.
    """
    whole = sum(part for _, part in runs)
    if abs(whole - 1.0) > _EXACT:
        raise InputError(f"expected shares that add up to 1; got {whole:g}. Change one of them.")
    checkpoints = _load([folder for folder, _ in runs])
    first = checkpoints[0]
    for (folder, _), other in zip(runs, checkpoints, strict=True):
        if (other.language, other.vision) != (first.language, first.vision):
            _refuse("sizes", runs[0][0], folder)
        if other.tokenizer.texts != first.tokenizer.texts:
            _refuse("tokens", runs[0][0], folder)
        if _shapes(other) != _shapes(first):
            _refuse("tensors", runs[0][0], folder)
    mean = {name: np.zeros(value.shape) for name, value in first.weights.items()}
    for (_, part), other in zip(runs, checkpoints, strict=True):
        for name, value in other.weights.items():
            mean[name] += part * value.astype(np.float64)
    weights = {name: value.astype(np.float32) for name, value in mean.items()}
    return Checkpoint(weights, first.language, first.vision, first.tokenizer)


def _load(folders: Sequence[Path]) -> list[Checkpoint]:
    """Read runs and pairs; a pair has the sizes of the first run, which its tensors are compared with."""
    pairs = [folder for folder in folders if any(folder.glob("*.gguf")) and not (folder / WEIGHTS).exists()]
    if len(pairs) == len(folders):
        raise InputError("expected a run of scripts/nano/train.py among the folders; got pairs only. Add one.")
    loaded = {folder: Checkpoint.load(folder) for folder in folders if folder not in pairs}
    sizes = next(iter(loaded.values()))
    for folder in pairs:
        weights, merges = read_pair(folder)
        loaded[folder] = replace(sizes, weights=weights, tokenizer=Tokenizer(merges))
    return [loaded[folder] for folder in folders]


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in checkpoint.weights.items()}


def _refuse(what: str, first: Path, other: Path) -> None:
    raise InputError(f"expected runs of the same {what}; got others in {other} than in {first}. Leave one of them out.")


def _run(text: str) -> tuple[Path, float]:
    folder, _, part = text.rpartition("=")
    try:
        number = float(part)
    except ValueError:
        number = -1.0
    if not folder or not 0.0 < number <= 1.0:
        raise argparse.ArgumentTypeError(f"expected FOLDER=SHARE with a share above 0, at most 1; got {text!r}")
    return Path(folder), number


def main() -> None:
    """Read the command line and write the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="folder of the mean, for export.py")
    parser.add_argument("runs", type=_run, nargs="+", metavar="FOLDER=SHARE", help="a run, and its share of the mean")
    args = parser.parse_args()
    if Path(args.out).resolve() in {folder.resolve() for folder, _ in args.runs}:
        parser.error(f"expected a folder of its own for the mean; {args.out} is a run, whose weights would be lost")
    try:
        average(args.runs).save(args.out)
    except (YoutuError, OSError) as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
