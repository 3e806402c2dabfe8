"""Options of commands that work on a cluster, and how a run there looks on a terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from youtu_gguf.cli.help import CLUSTER
from youtu_gguf.cli.progress import is_watched, on_stderr
from youtu_gguf.cli.tally import SOME_BROKEN, print_counts, print_named
from youtu_gguf.environment import ray_is_to_speak
from youtu_gguf.errors import InputError

if TYPE_CHECKING:
    from youtu_gguf.batch import Asked
    from youtu_gguf.cli.common import ModelOptions
    from youtu_gguf.cluster import Pool, Report

_STDERR = 2

_CLUSTER: dict[str, Any] = {"rich_help_panel": CLUSTER}

SHOWN_NODES = 20
"""Machines that a summary has lines for; those with errors first."""

WINDOW_S = 600.0
"""The rate is that of the last minutes: machines come and go."""

FEWEST = 2
"""Points that a rate takes."""

SETTLED_S = 5.0
"""Time left is not told before so much has been seen."""


def _actors(typed: str) -> tuple[int, int] | str:
    """Return the numbers that were typed; what is no number is left for the pool's own rule."""
    least, _, most = typed.partition(":")
    try:
        return int(least), int(most or least)
    except ValueError:
        return typed


ClusterName = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|auto|ray://HOST",
        help='Run on Ray: "local", one that is started on this machine for this run; "auto", the one that runs on '
        "this machine; ray://HOST:PORT, one elsewhere. IMAGES and FOLDER may then be addresses, such as "
        "s3://bucket/photos (docs/cluster.md).",
        **_CLUSTER,
    ),
]
Actors = Annotated[
    str | None,
    typer.Option(
        "--actors",
        metavar="N|MIN:MAX",
        parser=_actors,
        help="Models at work at the same time. [default: as many as there is room for]",
        **_CLUSTER,
    ),
]
CpusPerActor = Annotated[
    int | None,
    typer.Option(
        "--cpus-per-actor",
        metavar="N",
        help="Processors of each, which are its threads. [default: those of a machine]",
        **_CLUSTER,
    ),
]
GpusPerActor = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-actor",
        metavar="X",
        help="GPUs of each; 0.5 lets two share one. [default: 0]",
        **_CLUSTER,
    ),
]
ShardSize = Annotated[
    int | None,
    typer.Option(
        "--shard-size",
        metavar="N",
        help="Images that are done and written together. [default: 64]",
        **_CLUSTER,
    ),
]


def pool_of(cluster: str, given: Mapping[str, Any]) -> Pool:
    """Return the pool that options say; those that are None were not given."""
    from youtu_gguf.cluster import Pool

    return Pool(cluster, **{name: value for name, value in given.items() if value is not None})


def refuse_without_cluster(places: Sequence[str], pool: Mapping[str, object]) -> None:
    """Check that nothing was given that needs a cluster: addresses, and options of a pool.

    Raises:
        InputError: Something was.
    """
    for place in places:
        if "://" in place:
            raise InputError(
                f"expected a path on this machine; got the address {place}. Add --cluster local, which can read and "
                "write there."
            )
    for name, value in pool.items():
        if value is not None:
            raise InputError(f"--{name.replace('_', '-')} needs a cluster; got none. Add --cluster local.")


def batch_there(
    images: Sequence[str],
    asked: Sequence[Asked],
    output: str,
    options: ModelOptions,
    pool: Pool,
    formats: Sequence[str] | None,
    *,
    retry: bool,
    restart: bool,
) -> None:
    """Run a batch on a cluster, and print what was done.

    Raises:
        Exit: Images have errors.
        YoutuError: An error that would affect every image.
    """
    from youtu_gguf.cluster import Report
    from youtu_gguf.cluster import run as run_on_cluster

    last = Report()

    def told(report: Report) -> None:
        nonlocal last
        last = report
        show(report)

    try:
        with ray_silenced(), cluster_bar(enabled=not options.quiet) as show:
            last = run_on_cluster(
                images,
                asked,
                output,
                options.model,
                options.mmproj,
                options.engine,
                pool=pool,
                formats=formats,
                retry=retry,
                restart=restart,
                told=told,
                **options.settings(),
            )
    except BaseException:
        if last.begun:
            print_summary(last)
            print("Finished images are kept. Run the same command again to resume.", file=sys.stderr)
        raise
    print_summary(last)
    if last.broken:
        print(
            "`youtu-gguf collect` writes the reasons to results.jsonl; --retry asks those images again.",
            file=sys.stderr,
        )
    if last.broken and last.done:
        raise typer.Exit(SOME_BROKEN)


@contextmanager
def ray_silenced() -> Iterator[None]:
    """Keep off the terminal what Ray writes there; our own words still come.

    Ray 2.60's core logs to stderr, in every run, that the arguments of actors are in its object store; and a thread of
    it prints to stdout what happens to actors and machines (ray/_private/worker.py, `listen_error_messages`). There is
    no switch for either. `RAY_BACKEND_LOG_LEVEL` in the environment lets all of it through.
    """
    if ray_is_to_speak():
        yield
        return
    with redirect_stdout(cast("TextIO", _OfOthers(sys.stdout))), _core_silenced():
        yield


class _OfOthers:
    """A stream without what threads of Ray write to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what is not Ray's."""
        return len(text) if threading.current_thread().name.startswith("ray_") else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _core_silenced() -> Iterator[None]:
    theirs = sys.stderr
    if not _is_descriptor(theirs, _STDERR):
        yield
        return
    theirs.flush()
    kept = os.dup(_STDERR)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), _STDERR)
    with os.fdopen(kept, "w", encoding=theirs.encoding, errors=theirs.errors, buffering=1) as ours:
        sys.stderr = ours
        try:
            yield
        finally:
            sys.stderr = theirs
            ours.flush()
            os.dup2(kept, _STDERR)


def _is_descriptor(stream: TextIO | None, number: int) -> bool:
    try:
        return stream is not None and stream.fileno() == number
    except OSError:  # a stream in memory
        return False


class Pace:
    """How fast images are done, in the last minutes, and how long the rest takes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, done: int) -> None:
        """Note how many images are done; nothing counts before the first, since models are loaded then."""
        if done and (not self._seen or done > self._seen[-1][1]):
            self._seen.append((self._clock(), done))
        while len(self._seen) > FEWEST and self._seen[1][0] < self._clock() - WINDOW_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float | None:
        """Images in a second; None where too little was seen."""
        if len(self._seen) < FEWEST:
            return None
        passed = self._clock() - self._seen[0][0]
        return (self._seen[-1][1] - self._seen[0][1]) / passed if passed >= SETTLED_S else None

    def left_s(self, n: int) -> float | None:
        """Return how long `n` images take; None where too little was seen."""
        rate = self.per_s
        return n / rate if rate else None


@contextmanager
def cluster_bar(*, enabled: bool) -> Iterator[Callable[[Report], None]]:
    """Yield a function that shows a report on stderr; it does nothing if stderr is not a terminal."""
    if not is_watched(enabled):
        yield lambda _report: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"))
    progress, pace = on_stderr(*columns), Pace()

    def show(report: Report) -> None:
        pace.see(report.seen)
        words = f"{report.stage}..." if not report.seen else _pace_in_words(pace, report)
        progress.update(shown, total=report.total, completed=report.skipped + report.seen, description=words)

    with progress:
        shown = progress.add_task("listing images...", total=None)
        yield show


def _pace_in_words(pace: Pace, report: Report) -> str:
    words = [f"{len(report.nodes)} machines"] if len(report.nodes) > 1 else []
    if rate := pace.per_s:
        words.append(f"{rate * 60:.1f}/min")
    left = pace.left_s(report.total - report.skipped - report.seen)
    if left is not None:
        words.append(f"{duration(left)} left")
    if report.broken_now:
        words.append(f"{report.broken_now} with errors")
    return ", ".join(words)


def duration(seconds: float) -> str:
    """Return a time in words: 45 s, 3 min, 2 h 10 min, 3 d 4 h."""
    minutes = round(seconds / 60)
    if round(seconds) < 60:  # noqa: PLR2004 - a minute
        return f"{max(1, round(seconds))} s"
    hours, rest = divmod(minutes, 60)
    days, of_day = divmod(hours, 24)
    if days:
        return f"{days} d {of_day} h"
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def print_summary(report: Report) -> None:
    """Print what was done, and with several machines, or shards that were begun again, what each of them did."""
    print_counts(report, report.total, report.seconds)
    if len(report.nodes) > 1 or any(node.redone for node in report.nodes.values()):
        ordered = sorted(report.nodes.items(), key=lambda named: (-named[1].broken, -named[1].images, named[0]))
        for name, node in ordered[:SHOWN_NODES]:
            errors = f", {node.broken} with errors" if node.broken else ""
            redone = f", {node.redone} shards begun again" if node.redone else ""
            print(f"  {name}: {node.images} images, {node.busy_s / node.images:.2f} s each{errors}{redone}")
        if len(ordered) > SHOWN_NODES:
            print(f"  and {len(ordered) - SHOWN_NODES} more machines")
    print_named(report)
