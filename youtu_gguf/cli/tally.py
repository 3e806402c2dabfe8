"""What commands say of many images when they have ended: how many are finished, which have errors, what was written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from youtu_gguf.batch import Tally, Written
    from youtu_gguf.cluster import Report

SOME_BROKEN = 1
"""Exit code if some images or questions gave no result, or a data set lacks images."""

SHOWN_LEFT_OUT = 5
"""Images that are named which a data set cannot have."""


def print_counts(tally: Tally | Report, n: int, seconds: float) -> None:
    """Print how many of `n` images are finished, and how many have errors."""
    rate = f" ({tally.done / seconds * 60:.1f} per minute)" if tally.done else ""
    print(
        f"{tally.done + tally.skipped} of {n} images finished: {tally.done} now, in {seconds:.1f} s{rate}, "
        f"{tally.skipped} earlier; {tally.broken} with errors"
    )


def print_named(tally: Tally | Report) -> None:
    """Print the first images with errors on stderr, if there are any."""
    if tally.broken:
        rest = tally.broken - len(tally.named)
        more = f" and {rest} more" if rest else ""
        print(f"With errors: {', '.join(tally.named)}{more}.", file=sys.stderr)


def print_written(written: Written) -> bool:
    """Print what was written, and return whether it has all images that have results."""
    print(f"Wrote {written.path}: {written.n_images} images")
    if written.left_out:
        print(f"Left out of {written.path}: {_in_words(written.left_out)}.", file=sys.stderr)
    return not written.left_out


def _in_words(left_out: Sequence[tuple[str, str]]) -> str:
    shown = "; ".join(f"{name}, since {why}" for name, why in left_out[:SHOWN_LEFT_OUT])
    rest = len(left_out) - SHOWN_LEFT_OUT
    return f"{shown}; and {rest} more" if rest > 0 else shown
