#!/usr/bin/env python3
"""What a batch on a cluster costs outside the actors, and where a million images on 64 GPUs would stop.

    python scripts/bench/cluster.py --images 6400

Runs `youtu-gguf batch --cluster auto` on a Ray of this machine with a model that answers at once, so that what is left
is the cost of everything else, and sums the processor time of each kind of process: the driver, Ray's own processes,
actors and their children. Three runs (few images, many, many in small shards) separate the costs of a run, a shard and
an image. The driver's work on many names is timed and its memory measured without images, and the requests of a shard
are counted at an object store of this machine. The table at the end is an estimate for a cluster of 64 GPUs, which was
not tried: which resource is used up first, and at what rate.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from _cluster_paper import Costs, table
from _cluster_requests import READS, WRITES, counting
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.soak._cluster_batch import Command, command_line
from scripts.soak._faults import NULL, faulty_environment
from scripts.soak._ray_nodes import RayNodes

SAMPLE_S = 0.2
BAR_S = 0.02
"""Processor seconds outside the actors that an image may cost."""

N_COUNTED = 640
"""Images that requests are counted with: counts have no noise, and the store on this machine is slow."""

LEAST = 0.005
"""Requests of a shard or an image below this belong to the run."""

TASKS = ("describe",)
OUTSIDE = ("driver", "gcs", "raylet", "Ray's other processes")
"""Kinds of processes that are not actors or their children."""

KINDS = (
    ("youtu_gguf.batch.desk", "children"),
    ("MapWorker", "actors"),
    ("-m youtu_gguf", "driver"),
    ("gcs_server", "gcs"),
    ("raylet/raylet", "raylet"),
    ("_ray_nodes.py", "host of the nodes"),
)
"""What a command line has in it, and the kind of process that it then is; others are `OUTSIDE[-1]`."""


class Meter:
    """Samples the processor time and the memory of everything on a cluster. A context manager.

    Attributes:
        seconds: Processor seconds since the beginning, for each kind of process.
        peak: Largest resident set of a process of each kind, in bytes.
    """

    def __init__(self, nodes: RayNodes) -> None:
        self._nodes = nodes
        self._last: dict[tuple[int, float], tuple[str, float]] = {}
        self._before: dict[tuple[int, float], float] = {}
        self.peak: dict[str, int] = defaultdict(int)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Meter:
        self._sample()
        self._before = {key: seconds for key, (_, seconds) in self._last.items()}
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()
        self._sample()

    @property
    def seconds(self) -> dict[str, float]:
        total: dict[str, float] = defaultdict(float)
        for key, (kind, seconds) in self._last.items():
            total[kind] += seconds - self._before.get(key, 0.0)
        return dict(total)

    def _watch(self) -> None:
        while not self._end.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        for process in self._nodes.processes():
            with contextlib.suppress(psutil.Error):
                line = command_line(process)
                kind = next((kind for word, kind in KINDS if word in line), OUTSIDE[-1])
                times = process.cpu_times()
                key = (process.pid, process.create_time())
                known = self._last.get(key, (kind, 0.0))[0]
                kind = kind if known == OUTSIDE[-1] else known  # an idle worker becomes an actor
                self._last[key] = (kind, times.user + times.system)
                self.peak[kind] = max(self.peak[kind], process.memory_info().rss)


@dataclass(frozen=True)
class Run:
    """A run: images, shards, seconds on the clock, and processor seconds for each kind of process."""

    images: int
    shards: int
    wall_s: float
    cpu_s: Mapping[str, float]
    peak: Mapping[str, int]

    def seconds_of(self, kinds: tuple[str, ...] = OUTSIDE) -> float:
        return sum(self.cpu_s.get(kind, 0.0) for kind in kinds)


def measure(nodes: RayNodes, folder: Path, images: int, shard_size: int) -> Run:
    """Run the batch on some images with an output folder of its own."""
    source = folder / f"images-{images}"
    if not source.exists():
        make_images(source, images)
    out = folder / f"out-{images}-{shard_size}"
    command = Command(str(source), str(out), nodes.env, "1", shard_size, "none", TASKS)
    started = time.monotonic()
    with Meter(nodes) as meter:
        ended = command.run()
    if ended.returncode:
        raise SystemExit(f"the batch ended with exit code {ended.returncode}: {ended.stderr}")
    shards = -(-images // shard_size)
    return Run(images, shards, time.monotonic() - started, meter.seconds, meter.peak)


def make_images(folder: Path, n: int) -> None:
    """Write `n` small pictures."""
    folder.mkdir()
    rgb = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for i in range(n):
        Image.fromarray(rgb).save(folder / f"{i:06}.png")


def solve(runs: list[Run], kinds: tuple[str, ...] = OUTSIDE) -> NDArray[np.float64]:
    """Return the processor seconds of kinds of processes: for a run, for a shard and for an image."""
    rows = np.array([(1.0, run.shards, run.images) for run in runs])
    return np.linalg.solve(rows, np.array([run.seconds_of(kinds) for run in runs]))


def print_runs(runs: list[Run]) -> None:
    kinds = [*dict.fromkeys((*OUTSIDE, *(kind for run in runs for kind in run.cpu_s)))]
    print(f"{'processor seconds of':24}" + "".join(f"{run.images:>9} / {run.shards:<4}" for run in runs))
    for kind in kinds:
        print(f"{kind:24}" + "".join(f"{run.cpu_s.get(kind, 0.0):16.2f}" for run in runs))
    print(f"{'outside the actors':24}" + "".join(f"{run.seconds_of():16.2f}" for run in runs))
    print(f"{'... of an image':24}" + "".join(f"{run.seconds_of() / run.images:16.4f}" for run in runs))
    print(f"{'seconds on the clock':24}" + "".join(f"{run.wall_s:16.2f}" for run in runs))


def idle(nodes: RayNodes, seconds: float) -> float:
    """Return the processors that Ray takes while nothing runs."""
    with Meter(nodes) as meter:
        time.sleep(seconds)
    return sum(meter.seconds.values()) / seconds


def start_cost() -> float:
    """Return the processor seconds of a Ray of one node, from its start until it is ready for work."""
    with RayNodes((1,)) as nodes:
        done = sum(sum(process.cpu_times()[:2]) for process in nodes.processes())
        done += sum(sum(process.cpu_times()[2:4]) for process in nodes.processes())
    return float(done)


@dataclass(frozen=True)
class Names:
    """What the driver's work before the first shard costs, for each name: seconds, and bytes of memory."""

    seconds: float
    size: float


def names_cost(folder: Path, n: int) -> Names:
    """Measure listing, comparing and cutting in a process of its own, on a folder with `n` empty files."""
    source = folder / "names"
    for i in range(n):
        path = source / f"{i // 1000:04}" / f"{i:08}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    command = [sys.executable, __file__, "--list-only", str(source)]
    seconds, size = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return Names(float(seconds) / n, float(size) / n)


def list_only(source: str) -> None:
    """List the images below `source`, and prepare them for actors as a run does; print seconds and bytes."""
    from youtu_gguf.batch.parts import Parts
    from youtu_gguf.batch.shards import SHARD_SIZE, cut, pending
    from youtu_gguf.batch.sources import find_items
    from youtu_gguf.batch.store import Store

    with tempfile.TemporaryDirectory() as out:
        find_items([str(Path(source) / "0000")])  # imports
        index = Parts(Store(out)).index()
        process = psutil.Process()
        before, started = process.memory_info().rss, time.process_time()
        items = find_items([source])
        rows = [pickle.dumps(shard) for shard in cut(pending(items, index).items, SHARD_SIZE, "000001-0000")]
        assert rows
        print(time.process_time() - started, process.memory_info().rss - before)


def request_costs(folder: Path, images: int) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """Return the requests that a shard takes, and those of an image; by method and folder."""
    from pyarrow import fs

    from tests.object_store import object_store

    sizes = [(images // 8, 64), (images, 64), (images, 8)]
    found = []
    with object_store() as address, RayNodes((2,), faulty_environment(NULL)) as nodes:
        files, bucket = fs.FileSystem.from_uri(address)
        for n, size in sizes:
            source = folder / f"images-{n}"
            if not source.exists():
                make_images(source, n)
            fs.copy_files(str(source), f"{bucket}/images-{n}", destination_filesystem=files)
            out = f"{address}/out-{n}-{size}"
            command = Command(f"{address}/images-{n}", out, nodes.env, "1", size, "none", TASKS)
            with counting() as requests:
                ended = command.run()
            if ended.returncode:
                raise SystemExit(f"the batch ended with exit code {ended.returncode}: {ended.stderr}")
            found.append({(method, re.sub(r"-\d+", "", path)): n for (method, path), n in requests.counts.items()})
    rows = np.array([(1.0, -(-n // size), n) for n, size in sizes])
    shard: dict[tuple[str, str], float] = {}
    image: dict[tuple[str, str], float] = {}
    for key in sorted({*found[0], *found[1], *found[2]}):
        _, shard[key], image[key] = np.linalg.solve(rows, np.array([counts.get(key, 0) for counts in found])).tolist()
    return shard, image


def print_requests(shard: Mapping[tuple[str, str], float], image: Mapping[tuple[str, str], float]) -> None:
    print(f"{'requests to a store':32}{'of a shard':>12}{'of an image':>12}")
    for method, path in shard:
        each, more = shard[method, path], image[method, path]
        if abs(each) > LEAST or abs(more) > LEAST:
            print(f"{method:8}{path:24}{each:12.2f}{more:12.2f}")


def total(costs: Mapping[tuple[str, str], float], methods: tuple[str, ...]) -> float:
    return sum(n for (method, _), n in costs.items() if method in methods)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=6400)
    parser.add_argument("--names", type=count, default=50_000, help="names for the driver's costs")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds that an idle Ray is watched")
    parser.add_argument("--list-only", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list_only:
        list_only(args.list_only)
        return
    start = start_cost()
    with tempfile.TemporaryDirectory() as name, RayNodes((2, 1), faulty_environment(NULL)) as nodes:
        folder = Path(name)
        measure(nodes, folder, 8, 8)  # modules are read from the disk
        runs = [measure(nodes, folder, *size) for size in ((args.images // 8, 64), (args.images, 64), (args.images, 8))]
        resting = idle(nodes, args.idle) / len(nodes.raylets)
        part_bytes = sum(path.stat().st_size for path in folder.glob(f"out-{args.images}-64/parts/*")) / args.images
        names = names_cost(folder, args.names)
        shard, image = request_costs(folder, min(args.images, N_COUNTED))
    print_runs(runs)
    of_run, of_shard, of_image = solve(runs)
    print(f"Ray's start: {start:.1f} s; idle: {resting:.3f} processors a node")
    print(f"a run: {of_run:.2f} s; a shard: {of_shard * 1000:.1f} ms; an image: {of_image * 1000:.2f} ms")
    each = of_image + of_shard / 64
    whole = runs[1].seconds_of() / runs[1].images
    print(f"outside the actors, in shards of 64: {each * 1000:.2f} ms an image; with the run's own cost {whole:.4f} s")
    print(f"{'more' if whole > BAR_S else 'not more'} than {BAR_S} s an image")
    print(f"the driver's names: {names.seconds * 1e6:.1f} us and {names.size:.0f} bytes each")
    print_requests(shard, image)
    driver_s = solve(runs, ("driver",))[1:] @ np.array((1, 64))
    ray_s = solve(runs, OUTSIDE[1:])[1:] @ np.array((1, 64))
    reads, writes = total(image, READS), total(shard, WRITES)
    if min(driver_s, ray_s) <= 0:
        raise SystemExit("the costs of shards are less than the noise of these runs; ask for more --images")
    costs = Costs(
        driver_s, ray_s, resting, of_run, names.seconds, names.size, reads, total(shard, READS), writes, part_bytes
    )
    print("\n".join(["", *table(costs, 1_000_000, 64, 64)]))
    sys.exit(int(whole > BAR_S))


if __name__ == "__main__":
    main()
