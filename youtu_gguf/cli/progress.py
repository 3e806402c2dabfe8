"""Progress on stderr, while it is a terminal: what the engine is doing, and for how long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

STAGES = {
    "pull": "downloading the model",
    "load": "loading the model",
    "encode": "encoding the image",
    "prefill": "reading the image",
    "generate": "answering",
    "tiles": "looking at the tiles",
    "model": "writing the model",
    "projector": "writing the projector",
    "slim": "copying",
    "quantize": "quantising",
    "calibrate": "looking at pictures",
    "instances": "masking objects",
}
ROUNDS = {"instances": "object"}
"""Stages that each run through other stages for one thing after the other, and what such a thing is called."""


class Display:
    """One line that shows the current stage; draws nothing where `progress` is None."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._stage = self._round = ""

    def report(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` is done; a `ProgressFn`."""
        if self._progress is None:
            return
        # An answer's length is not known beforehand: a bar towards the limit would only mislead.
        known = total if total and stage != "generate" else None
        count = f"{done} tokens" if stage == "generate" else ""
        if stage in ROUNDS:
            self._round = f"{ROUNDS[stage]} {done + 1} of {total}: " if done < total else ""
        if not self._stage:
            self._progress.add_task("", count="")
        (task,) = self._progress.task_ids
        if stage != self._stage:
            before = "" if stage in ROUNDS else self._round
            self._progress.reset(task, total=known, description=before + STAGES.get(stage, stage))
            self._stage = stage
        self._progress.update(task, completed=done, total=known, count=count)

    def clear(self) -> None:
        """Take the line off the screen for good, to make way for the answer. Safe to call twice."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class Displays:
    """A display for each of many questions in turn: one that has made way for an answer does not come back."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._current = Display(None)

    def report(self, stage: str, done: int, total: int) -> None:
        """Show progress on the display of the moment, if there is one; a `ProgressFn`."""
        self._current.report(stage, done, total)

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Yield a new display, as `shown` does."""
        with shown(self._enabled) as self._current:
            yield self._current


@contextmanager
def shown(enabled: bool) -> Iterator[Display]:
    """Yield a display that draws on stderr, or nothing where stderr is no terminal or `enabled` is false."""
    if not is_watched(enabled):
        yield Display(None)
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[count]}"))
    with on_stderr(*columns, TimeElapsedColumn()) as progress:
        yield Display(progress)


def is_watched(enabled: bool) -> bool:
    """Whether progress is wanted and a person sees stderr."""
    return enabled and sys.stderr.isatty()


def on_stderr(*columns: ProgressColumn) -> Progress:
    """Return a progress display that leaves the screen and stdout as they were."""
    from rich.console import Console
    from rich.progress import Progress

    # Left to itself, rich takes over sys.stdout too and breaks a streamed answer into lines.
    return Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
