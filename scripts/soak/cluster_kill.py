#!/usr/bin/env python3
"""A batch on a cluster that loses processes and machines must give the results of an undisturbed one on one machine.

    python scripts/soak/cluster_kill.py --images 200

Draws scenes, of which llama.cpp does not survive one and one cannot be read, and runs `youtu-gguf batch` on them twice:
on this machine alone, and on a Ray of three nodes. There a child of an actor, an actor, a node, and then the driver are
killed with SIGKILL. The same command then finishes the batch, and once more has nothing to do. With --s3, images and
results are in an object store on this machine (moto's).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.soak._cluster_batch import (
    Command,
    differences,
    left_of_runs,
    make_images,
    n_redone,
    n_seen,
    notes,
    renamed,
    seconds_until_gone,
    stored,
    written,
)
from scripts.soak._faults import DEADLY, faulty_environment
from scripts.soak._ray_nodes import RayNodes, end_all, wait_until

KILLS = {"child": 0.05, "actor": 0.15, "node": 0.3, "driver": 0.5}
"""What is killed, and how much of the batch has been begun by then."""

AT_ONCE = 2
"""Shards that an actor holds, which are done again after its death."""

ACTORS_S = 2.5
"""How long children are held after the death of what they belong to, so that they begin nothing until their actors end.
"""

RETRIED = 2
"""Pictures that are begun again without an actor's death: that which crashes, and that which a killed child was at."""


def check(
    folder: Path, n: int, *, shard_size: int = 8, s3: bool = False, tell: Callable[[str], None] = print
) -> list[str]:
    """Run the batch, undisturbed and killed; return what is wrong."""
    make_images(folder / "images", n, crash=n * 5 // 6, broken=n // 2)
    temporary = folder / "tmp"
    temporary.mkdir()
    faults = faulty_environment(DEADLY, folder / "seen") | {"TMPDIR": str(temporary)}
    with ExitStack() as stack:
        where = stack.enter_context(object_store_with(folder / "images")) if s3 else str(folder)
        nodes = stack.enter_context(RayNodes((1, 1, 1), faults))
        command = Command(f"{where}/images", f"{where}/out", nodes.env, shard_size=shard_size)
        alone = Command(str(folder / "images"), str(folder / "alone"), nodes.env, formats=command.formats)
        started = time.monotonic()
        undisturbed = alone.alone(folder / "alone")
        tell(f"undisturbed, on this machine: {time.monotonic() - started:.1f} s, exit code {undisturbed.returncode}")
        expected = written(folder / "alone")
        (folder / "seen").unlink()
        faults_found = [*killed(command, nodes, folder / "seen", n, tell)]
        got = stored(command.out)
        if s3:
            expected = renamed(expected, str(folder), where)
        faults_found += differences(expected, got)
        if len(got.lines) != n or set(got.rows.values()) != {1}:
            faults_found.append(
                f"expected {n} rows, one for each image; got {sum(got.rows.values())} of {len(got.lines)}"
            )
        if len(got.broken) != 2:
            faults_found.append(f"expected errors of two images; got {got.broken}")
        tell(f"{len(got.lines)} images, {sum(got.rows.values())} rows, {len(got.broken)} with errors")
    faults_found += [f"left after the end of Ray: {process}" for process in nodes.processes()]
    faults_found += [
        f"left in the temporary folder: {path}" for path in temporary.rglob("*") if "ray" not in path.parts
    ]
    return faults_found


@dataclass(frozen=True)
class Target:
    """What is killed.

    Attributes:
        children: The processes that work on pictures and die with it.
        kill: Kills it, and returns how many actors die.
    """

    children: Sequence[psutil.Process]
    kill: Callable[[], int]


def target(what: str, nodes: RayNodes, driver: subprocess.Popen[str]) -> Target | None:
    """Choose what is killed; None while there is nothing of the kind."""

    def end(*processes: psutil.Process) -> int:
        end_all(processes)
        return len(processes) if what == "actor" else 0

    def end_driver() -> int:
        n_actors = len(nodes.actors())
        driver.kill()
        return n_actors

    children = nodes.children()
    if what == "driver":
        return Target(children, end_driver)
    if what == "child":
        return Target(children[:1], partial(end, *children[:1])) if children else None
    if what == "actor":
        above = next(iter(nodes.actors()), None)
        return None if above is None else Target(within(above, children), partial(end, above))
    index = next(iter(with_actor(nodes)), None)
    return None if index is None else Target(within(nodes.raylets[index], children), partial(nodes.kill, index))


def within(above: psutil.Process, children: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those of some processes that a process has started, or those that it has."""
    below = {process.pid for process in above.children(recursive=True)}
    return [child for child in children if child.pid in below]


def hold(children: Sequence[psutil.Process], seen: Path, lost: set[str]) -> bool:
    """Stop processes if none is at a picture that was in progress at an earlier death; return whether they are stopped.

    A picture that is in progress at two deaths is blamed for them, and then has an error: that is not what is tested.

    Args:
        children: The processes.
        seen: See `faulty_environment`.
        lost: Digests of those pictures; those of the processes are added.
    """
    for child in children:
        with suppress(psutil.Error):
            child.suspend()
    last = {note.process: note for note in notes(seen)}
    at = [last[child.pid] for child in children if child.pid in last]
    begun = {note.digest for note in at if not note.is_done}
    if begun & lost:
        let_go(children)
        return False
    lost |= begun
    return True


def let_go(children: Sequence[psutil.Process]) -> None:
    """Let stopped processes go on, as far as they are there."""
    for child in children:
        with suppress(psutil.Error):
            child.resume()


def killed(command: Command, nodes: RayNodes, seen: Path, n: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Run a batch through all kills to its end, and yield what is wrong."""
    started = time.monotonic()
    driver = command.start()
    n_lost = 0
    lost: set[str] = set()
    for what, part in KILLS.items():

        def doomed(what: str = what, part: float = part) -> Target | bool:
            if driver.poll() is not None:
                return True
            found = target(what, nodes, driver) if n_seen(seen) >= part * n else None
            return found if found is not None and hold(found.children, seen, lost) else False

        found = wait_until(doomed, f"a {what} to kill after {part:.0%} of the images", 600.0)
        if not isinstance(found, Target):
            yield f"the driver ended before the {what} was killed: {driver.communicate()}"
            break
        parents = [child.parent() for child in found.children]
        n_lost += found.kill()
        if what != "child":
            psutil.wait_procs([parent for parent in parents if parent is not None], ACTORS_S)
        let_go(found.children)
        if what == "driver":
            yield from (
                f"Ray's words reached the terminal: {text}" for text in driver.communicate() if "(raylet)" in text
            )
            tell(f"after the driver's death, its processes were there for {seconds_until_gone(nodes):.1f} s")
        tell(f"killed: {what}, after {n_seen(seen)} of {n} pictures, at {time.monotonic() - started:.1f} s")
    nodes.add(1)
    again = command.run()
    tell(again.stdout.strip().splitlines()[-1] if again.stdout else again.stderr)
    if again.returncode != 1:
        yield f"expected exit code 1 of a run with errors; got {again.returncode}: {again.stderr}"
    tell(f"after the end, processes were there for {seconds_until_gone(nodes):.1f} s")
    redone, bound = n_redone(seen) - RETRIED, n_lost * AT_ONCE * command.shard_size
    tell(f"begun again after the deaths of {n_lost} actors: {redone} pictures (at most {bound})")
    if redone > bound:
        yield f"expected at most {bound} pictures to be done again; got {redone}"
    before = n_seen(seen)
    nothing = command.run()
    tell(nothing.stdout.strip().splitlines()[-1] if nothing.stdout else nothing.stderr)
    if nothing.returncode != 0 or n_seen(seen) != before:
        yield f"expected nothing to do and exit code 0; got {nothing.returncode}: {nothing.stdout} {nothing.stderr}"
    yield from (f"left after the end of the run: {line}" for line in left_of_runs(nodes))


def with_actor(nodes: RayNodes) -> list[int]:
    """Return which nodes have an actor with a model; the head, which Ray does not survive, is left out."""
    actors = {actor.pid for actor in nodes.actors()}
    below = [{process.pid for process in raylet.children(recursive=True)} for raylet in nodes.raylets]
    return [index for index, pids in enumerate(below) if index and pids & actors]


@contextmanager
def object_store_with(images: Path) -> Iterator[str]:
    """Yield the address of a bucket on this machine that has the images in its folder `images`."""
    from pyarrow import fs

    from tests.object_store import object_store

    with object_store() as address:
        files, bucket = fs.FileSystem.from_uri(address)
        fs.copy_files(str(images), f"{bucket}/images", destination_filesystem=files)
        yield address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=200)
    parser.add_argument("--shard-size", type=count, default=8)
    parser.add_argument("--s3", action="store_true", help="images and results in an object store")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = check(Path(folder), args.images, shard_size=args.shard_size, s3=args.s3)
    print("\n".join(found) or "no difference")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
