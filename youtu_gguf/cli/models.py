"""The commands that download models, and list, find and delete those on this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import AsJson, Quiet, size_of
from youtu_gguf.cli.progress import is_watched, on_stderr
from youtu_gguf.errors import InputError
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from rich.progress import TaskID

Spec = Annotated[str, typer.Argument(metavar="SPEC", help="Model on Hugging Face: ORG/NAME[:QUANT][@REVISION].")]


def pull(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
            help="Model on Hugging Face: ORG/NAME[:QUANT][@REVISION]. "
            "[default: tencent/Youtu-VL-4B-Instruct-GGUF:Q8_0, 6.1 GB]",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="FOLDER", help="Download to this folder instead of Hugging Face's cache."),
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Same as --dir models.")] = False,
    quiet: Quiet = False,
) -> None:
    """Download a model and its projector.

    Verifies both files, and resumes an interrupted download. Prints the paths of the two files. The variables HF_HOME,
    HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE work as in Hugging Face's own tools.
    """
    if here and folder is not None:
        raise InputError("expected --dir FOLDER or --here; got both. Remove one.")
    with _bars(not quiet) as report:
        pulled = yg.weights.pull(spec, Path("models") if here else folder, progress=report, notify=_say)
    _print_paths(pulled.model, pulled.projector)


def list_(as_json: AsJson = False) -> None:
    """List the models on this machine.

    Lists the small model that ships with this package, the models in ./models, and those that were pulled.
    """
    found, unfinished = yg.weights.list_models(), yg.weights.list_unfinished()
    if as_json:
        rows = [asdict(pair) for pair in found]
        parts = [{"path": path, "n_bytes": path.stat().st_size} for path in unfinished]
        print(json.dumps({"models": rows, "unfinished": parts}, indent=2, default=str, ensure_ascii=False))
        return
    width = max((len(pair.name) for pair in found), default=0)
    for pair in found:
        print(f"{pair.name:{width}}  {size_of(pair.n_bytes):>9}  {pair.model}")
        if pair.problem:
            print(f"{'':{width}}  unusable: {pair.problem}")
    for path in unfinished:
        print(f"unfinished: {size_of(path.stat().st_size)} of {path}; pull again to resume")


def path(
    spec: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="As for --model of the tasks. [default: the same]")
    ] = None,
) -> None:
    """Print the paths of a model's files.

    Prints the language model first, then the projector. Downloads nothing. The exit code is 3 if the files are not on
    this machine.
    """
    _print_paths(*yg.weights.find(spec))


def rm(
    spec: Spec,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a pulled model.

    Deletes it from Hugging Face's cache. The projector is deleted with the last model of its repository.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(
                "expected --yes, since stdin is not a terminal. Add it to delete the files without confirmation."
            )
        typer.confirm(f"Delete {spec} from this machine?", abort=True, err=True)
    print(f"{size_of(yg.weights.remove(spec))} freed")


def _print_paths(*paths: Path) -> None:
    """Print one path per line; where another program reads them, in the very bytes of the names."""
    sys.stdout.flush()
    for path in paths:
        if sys.stdout.isatty():
            print(path)
        else:
            sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def _bars(wanted: bool) -> Iterator[ProgressFn]:
    """Yield a function that draws one bar per file and one for all; it does nothing if stderr is not a terminal."""
    if not is_watched(wanted):
        yield no_progress
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), DownloadColumn(), TransferSpeedColumn())
    with on_stderr(*columns, TimeRemainingColumn()) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task("in all" if stage == "pull" else stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield report
