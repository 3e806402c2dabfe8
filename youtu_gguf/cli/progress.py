"""Progress on stderr if it is a terminal: what the engine is doing, and for how long."""

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
    "tiles": "encoding the tiles",
    "model": "writing the model",
    "projector": "writing the projector",
    "slim": "copying",
    "quantize": "quantising",
    "calibrate": "looking at test images",
    "instances": "masking objects",
    "index": "looking for finished images",
    "parts": "reading the parts",
    "dataset": "writing a data set",
}
ROUNDS = {"instances": "object"}
"""Stages that run other stages once for each thing, and the name of such a thing."""


class Display:
    """One line that shows the current stage; draws nothing if `progress` is None."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._stage = self._round = ""

    def report(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of `stage` are done; a `ProgressFn`."""
        if self._progress is None:
            return
        # The length of an answer is not known in advance: a bar up to the limit would mislead.
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
        """Remove the line from the screen for good, before the answer is printed. Safe to call twice."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class Displays:
    """One display per question: a display that was cleared for an answer does not come back."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._current = Display(None)

    def report(self, stage: str, done: int, total: int) -> None:
        """Show progress on the current display, if there is one; a `ProgressFn`."""
        self._current.report(stage, done, total)

    @contextmanager
    def shown(self) -> Iterator[Display]:
        """Yield a new display, as `shown` does."""
        with shown(self._enabled) as self._current:
            yield self._current


@contextmanager
def shown(enabled: bool) -> Iterator[Display]:
    """Yield a display on stderr; it draws nothing if stderr is not a terminal or `enabled` is false."""
    if not is_watched(enabled):
        yield Display(None)
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[count]}"))
    with on_stderr(*columns, TimeElapsedColumn()) as progress:
        yield Display(progress)


def is_watched(enabled: bool) -> bool:
    """Whether progress is wanted and stderr is a terminal."""
    return enabled and sys.stderr.isatty()


def on_stderr(*columns: ProgressColumn) -> Progress:
    """Return a progress display that leaves stdout alone and no trace on the screen."""
    from rich.console import Console
    from rich.progress import Progress

    # By default rich also captures sys.stdout, and breaks a streamed answer into lines.
    return Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
