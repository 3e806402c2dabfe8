"""Batches on a cluster as a user runs them, and what must be true of them afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.soak._faults import CRASH, DONE, marked
from scripts.soak._ray_nodes import RayNodes, wait_until
from youtu_gguf.batch.image import folder_of

TASKS = ("detect circle square", "depth", "count object")
TIMINGS = ("timings", "seconds")
LONGEST_S = 1800.0
GONE_S = 20.0
"""How long a command's processes may outlive it on a machine that is busy with other work; alone, it is a second."""


def make_images(folder: Path, n: int, *, crash: int | None = None, broken: int | None = None, seed: int = 0) -> None:
    """Write `n` scenes; llama.cpp does not survive number `crash`, and the file of number `broken` is cut off."""
    folder.mkdir(parents=True)
    for i in range(n):
        rgb = draw(TEST_SEEDS + 1000 * seed + i).rgb
        path = folder / f"{i:04}.png"
        Image.fromarray(marked(rgb, CRASH) if i == crash else rgb).save(path)
        if i == broken:
            path.write_bytes(path.read_bytes()[:3000])


@dataclass(frozen=True)
class Command:
    """A batch on a cluster.

    Attributes:
        images: What its images are: a folder or an address.
        out: Its output folder or address.
        env: Of the command.
        actors: Actors of one processor each.
        shard_size: Images in a shard.
        formats: As for `--format`.
        tasks: As for `--task`.
        cluster: As for `--cluster`.
    """

    images: str
    out: str
    env: Mapping[str, str]
    actors: str = "2"
    shard_size: int = 8
    formats: str = "npz,coco,yolo"
    tasks: Sequence[str] = TASKS
    cluster: str = "auto"

    def words(self, *more: str) -> list[str]:
        """Return its words."""
        tasks = [part for task in self.tasks for part in ("--task", task)]
        options = ["-o", self.out, "-m", "nano", "--format", self.formats, "--max-tokens", "200"]
        pool = ["--cluster", self.cluster, "--actors", self.actors, "--cpus-per-actor", "1"]
        size = ["--shard-size", str(self.shard_size)]
        return [sys.executable, "-m", "youtu_gguf", "batch", self.images, *tasks, *options, *pool, *size, *more]

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Begin it."""
        return subprocess.Popen(
            self.words(*more), env=dict(self.env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.words(*more), env=dict(self.env), capture_output=True, text=True, timeout=LONGEST_S, check=False
        )

    def alone(self, out: Path) -> subprocess.CompletedProcess[str]:
        """Run the same batch without a cluster, with as many threads as an actor has."""
        one = replace(self, out=str(out))
        words = one.words()
        words = [*words[: words.index("--cluster")], "--threads", "1"]
        return subprocess.run(words, env=dict(self.env), capture_output=True, text=True, timeout=LONGEST_S, check=False)


@dataclass(frozen=True)
class Results:
    """What is stored of every image, by its name: its line without times, and its files; and how often it has a row."""

    lines: Mapping[str, Any]
    files: Mapping[str, Mapping[str, bytes]]
    rows: Counter[str]

    @property
    def broken(self) -> dict[str, str]:
        """Images with errors, and the line of each."""
        told = {name: json.dumps(line) for name, line in self.lines.items()}
        return {name: line for name, line in sorted(told.items()) if '"error"' in line}


def stored(out: str) -> Results:
    """Read the parts of an output folder with pyarrow alone, and nothing of the code that wrote them."""
    from pyarrow import fs, parquet

    files, base = fs.FileSystem.from_uri(out if "://" in out else Path(out).absolute().as_uri())
    found = files.get_file_info(fs.FileSelector(f"{base}/parts", recursive=True, allow_not_found=True))
    lines: dict[str, Any] = {}
    kept: dict[str, Mapping[str, bytes]] = {}
    rows: Counter[str] = Counter()
    for path in sorted(info.path for info in found if info.path.endswith(".parquet")):
        for row in parquet.read_table(path, filesystem=files).to_pylist():
            name = row["image"]
            rows[name] += 1
            lines[name] = timeless(json.loads(row["line"]))
            both = [*(row.get("files") or ()), *(row.get("pieces") or ())]
            kept[name] = {file["name"]: file["data"] for file in both}
    return Results(lines, kept, rows)


def written(folder: Path) -> Results:
    """Read the output folder of a batch without a cluster, or what `collect` made."""
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
    files = {
        line["image"]: {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in (folder / "files" / folder_of(line["image"])).glob("*")
        }
        for line in lines
    }
    rows = Counter(line["image"] for line in lines)
    return Results({line["image"]: timeless(line) for line in lines}, files, rows)


def renamed(results: Results, old: str, new: str) -> Results:
    """Return the results of the same images under other names: `new` in place of `old` at their beginning."""

    def line_of(name: str, line: Any) -> Any:
        text = json.dumps(line).replace(old, new).replace(folder_of(name), folder_of(name.replace(old, new)))
        return json.loads(text)

    def files_of(name: str) -> dict[str, bytes]:
        here, there = folder_of(name), folder_of(name.replace(old, new))
        return {
            file.replace(here, there): data.replace(old.encode(), new.encode()) if file.endswith(".jsonl") else data
            for file, data in results.files[name].items()
        }

    lines = {name.replace(old, new): line_of(name, line) for name, line in results.lines.items()}
    files = {name.replace(old, new): files_of(name) for name in results.files}
    return Results(lines, files, Counter({name.replace(old, new): n for name, n in results.rows.items()}))


def differences(expected: Results, got: Results) -> list[str]:
    """Return how results differ: images, lines and files."""
    found = [f"{name} is in one of them only" for name in sorted(expected.lines.keys() ^ got.lines.keys())]
    for name in sorted(expected.lines.keys() & got.lines.keys()):
        if expected.lines[name] != got.lines[name]:
            found.append(f"the lines of {name} differ: {expected.lines[name]} and {got.lines[name]}"[:2000])
        if expected.files[name] != got.files[name]:
            names = expected.files[name].keys() | got.files[name].keys()
            unlike = [each for each in sorted(names) if expected.files[name].get(each) != got.files[name].get(each)]
            found.append(f"files of {name} differ: {', '.join(unlike)}")
    return found


def timeless(value: Any) -> Any:
    """Return JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name not in TIMINGS}
    return [timeless(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Noted:
    """A line of the file of pictures: see `faulty_environment`.

    Attributes:
        process: Which one noted it.
        digest: Of the picture.
        is_done: Whether the picture was done then; otherwise it was begun.
    """

    process: int
    digest: str
    is_done: bool


def notes(seen: Path) -> list[Noted]:
    """Return the lines of the file of pictures."""
    lines = seen.read_text("utf-8").splitlines() if seen.exists() else []
    return [Noted(int(process), digest, DONE in more) for process, digest, *more in map(str.split, lines)]


def n_seen(seen: Path) -> int:
    """Return how many pictures were begun."""
    return sum(not note.is_done for note in notes(seen))


def n_redone(seen: Path) -> int:
    """Return how many pictures were begun again."""
    digests = [note.digest for note in notes(seen) if not note.is_done]
    return len(digests) - len({*digests})


def seconds_until_gone(nodes: RayNodes, longest_s: float = GONE_S) -> float:
    """Return how long actors and their children are still there, from now on.

    Raises:
        TimeoutError: They are still there after the time that they have.
    """
    started = time.monotonic()
    wait_until(lambda: not left_of_runs(nodes), "the end of actors and their children", longest_s)
    return time.monotonic() - started


def left_of_runs(nodes: RayNodes) -> list[str]:
    """Return the command lines of what belongs to a run and not to Ray itself."""
    ours = ("youtu_gguf.batch.desk", "-m youtu_gguf", "ShardActor")
    found = map(command_line, nodes.processes())
    return [line for line in found if any(word in line for word in ours)]


def command_line(process: Any) -> str:
    """Return the command line of a process, or "" if it is gone."""
    import psutil

    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
