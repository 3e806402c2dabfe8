"""Progress on stderr, while it is a terminal: what the engine is doing, and for how long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from youtu_gguf.types import ProgressFn

STAGES = {
    "load": "loading the model",
    "encode": "encoding the image",
    "prefill": "reading the image",
    "generate": "answering",
    "model": "writing the model",
    "projector": "writing the projector",
}


@contextmanager
def shown(enabled: bool) -> Iterator[ProgressFn | None]:
    """Yield a progress function that draws on stderr; None where stderr is no terminal or nothing is wanted."""
    if not enabled or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[count]}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as display:
        stages: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = display.add_task(STAGES.get(stage, stage), total=None, count="")
            # An answer's length is not known beforehand: a bar towards the limit would only mislead.
            known = total if total and stage != "generate" else None
            count = f"{done} tokens" if stage == "generate" else ""
            display.update(stages[stage], completed=done, total=known, count=count)

        yield report
