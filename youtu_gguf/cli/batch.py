"""The command for many images: the same tasks for each; a later run resumes."""

from __future__ import annotations

import inspect
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from youtu_gguf.arguments import checked_path
from youtu_gguf.cli import cluster as on_cluster
from youtu_gguf.cli.common import ModelOptions
from youtu_gguf.cli.lines import parse_line, table, usage
from youtu_gguf.cli.progress import is_watched, on_stderr, shown
from youtu_gguf.cli.tally import SOME_BROKEN, print_counts, print_named, print_written
from youtu_gguf.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from youtu_gguf.batch import Asked, Batch, Finished, Tally

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES",
        help="Image files; folders, searched at every depth; patterns; or @FILE, a list of these (@- for stdin).",
    ),
]
Tasks = Annotated[
    list[str],
    typer.Option("--task", "-t", metavar="TASK", help="Task to run on every image (see above). May be repeated."),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the results; created if it does not exist.")
]
TASKS_HELP = "\b\nTasks, each with the options of its command (see youtu-gguf TASK --help):\n" + table(
    [(usage(name).removesuffix(" [OPTIONS]"), task.summary) for name, task in TASKS.items()]
)


def batch(
    images: Images,
    task: Tasks,
    output: Output,
    options: ModelOptions,
    *,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT,...",
            help="What to write (see below). [default: npz, the arrays of each result; with --cluster coco,yolo; none: "
            "nothing but the lines]",
            show_default=False,
        ),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Ask images with errors again.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Delete earlier results and start over.")] = False,
    cluster: on_cluster.ClusterName = None,
    actors: on_cluster.Actors = None,
    cpus_per_actor: on_cluster.CpusPerActor = None,
    gpus_per_actor: on_cluster.GpusPerActor = None,
    shard_size: on_cluster.ShardSize = None,
) -> None:
    """Run the same tasks on many images.

    Writes one line of JSON per image to results.jsonl in the output folder.

    To resume a batch that stopped for any reason, run the same command again: finished images are skipped. If an image
    or a task fails, the image's line says why, the others continue, and the exit code is 1.

    Data sets of all images (coco, yolo, labelme, panoptic, csv, ...) are made at the end, and whenever the same
    command is run again. Other formats are those of --output, a file for each image: npz, png, depth.png, ...

    With --cluster, several models work at the same time, on one machine or on many. Results are stored in parts, and
    `youtu-gguf collect FOLDER` makes the lines and data sets of them.

    Example: youtu-gguf batch photos -t "detect car person" -t depth -o results --format coco,npz
    """
    from youtu_gguf.batch import Asked

    lines = [(typed, parse_line(typed)) for typed in task]
    asked = [Asked(typed, line.question, {"arguments": line.arguments}) for typed, line in lines]
    pool = {
        "actors": actors,
        "cpus_per_actor": cpus_per_actor,
        "gpus_per_actor": gpus_per_actor,
        "shard_size": shard_size,
    }
    if cluster is None:
        on_cluster.refuse_without_cluster([*images, output], pool)
        _batch_here(images, asked, checked_path("output", output), options, formats, retry=retry, restart=restart)
        return
    with ending_in_order():
        on_cluster.batch_there(
            images,
            asked,
            output,
            options,
            on_cluster.pool_of(cluster, pool),
            _named(formats, asked),
            retry=retry,
            restart=restart,
        )


def _batch_here(
    images: Sequence[str],
    asked: Sequence[Asked],
    output: Path,
    options: ModelOptions,
    formats: str | None,
    *,
    retry: bool,
    restart: bool,
) -> None:
    from youtu_gguf.batch import FILES, Batch, Finished, Journal, Worker, find_images, settings_of
    from youtu_gguf.batch.image import NPZ

    named = _named(formats, asked)
    chosen = (NPZ,) if named is None else named
    paths = find_images(images, leave_out=[output / folder for folder in (FILES, *chosen)])
    with ending_in_order():
        with shown(not options.quiet) as display:
            worker = Worker(options.loader(), display.report)
        with worker:
            settings = settings_of(worker, asked, options.settings(), chosen)
            with Journal(output, settings, restart=restart) as journal:
                work = Batch(worker, asked, journal, formats=chosen)
                _run(work, paths, retry=retry, quiet=options.quiet)
                worker.close()
                is_complete = _write_datasets(Finished.of(output, asked, journal.lines), chosen)
    if work.tally.broken:
        print(
            'See "error" and "unwritten" in results.jsonl for the reasons; --retry asks those images again.',
            file=sys.stderr,
        )
    if work.tally.broken or not is_complete:
        raise typer.Exit(SOME_BROKEN)


def _named(typed: str | None, asked: Sequence[Asked]) -> tuple[str, ...] | None:
    """Return the formats that were typed; None where none were."""
    from youtu_gguf.batch import checked_formats

    if typed is None:
        return None
    named = [name.strip() for name in typed.split(",")]
    return () if named == ["none"] else checked_formats(named, asked)


batch.__doc__ = f"{inspect.cleandoc(batch.__doc__ or '')}\n\n{TASKS_HELP}"


def _run(work: Batch, paths: Sequence[Path], *, retry: bool, quiet: bool) -> None:
    started = time.monotonic()
    try:
        with bar(len(paths), enabled=not quiet) as advance:
            for path in work.run(paths, retry=retry):
                advance(path, work.tally)
    except BaseException:
        _summary(work.tally, len(paths), time.monotonic() - started)
        print("Finished images are kept. Run the same command again to resume.", file=sys.stderr)
        raise
    _summary(work.tally, len(paths), time.monotonic() - started)


def _write_datasets(finished: Finished, formats: Sequence[str]) -> bool:
    """Write the data sets of all images, and return whether each has all images that have results."""
    from youtu_gguf.batch import write_datasets

    incomplete = [written.path for written in write_datasets(finished, formats) if not print_written(written)]
    return not incomplete


@contextmanager
def ending_in_order() -> Iterator[None]:
    """End as Ctrl-C does when the system asks for it or the terminal is closed: no image is to blame then."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)  # as shells say it

    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    before = {number: handler for number in named if number and (handler := signal.getsignal(number)) != signal.SIG_IGN}
    for number in before:  # what is ignored, as by nohup, stays so
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary(tally: Tally, n: int, seconds: float) -> None:
    print_counts(tally, n, seconds)
    print_named(tally)


@contextmanager
def bar(n: int, *, enabled: bool) -> Iterator[Callable[[Path, Tally], None]]:
    """Yield a function that advances a progress bar on stderr; it does nothing if stderr is not a terminal."""
    if not is_watched(enabled):
        yield lambda _path, _tally: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    progress = on_stderr(*columns, TextColumn("{task.description}"))
    started = time.monotonic()

    def advance(path: Path, tally: Tally) -> None:
        per_minute = tally.done / (time.monotonic() - started) * 60
        errors = f", {tally.broken} with errors" if tally.broken else ""
        progress.update(shown_bar, advance=1, rate=f"{per_minute:.1f}/min", description=f"{path.name}{errors}")

    with progress:
        shown_bar = progress.add_task("", total=n, rate="")
        yield advance
