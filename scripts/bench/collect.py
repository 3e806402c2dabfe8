#!/usr/bin/env python3
"""How long collecting the parts of a run takes, how much memory that takes, and how large it all is.

    python scripts/bench/collect.py --images 200000
    python scripts/bench/collect.py --images 200000 --shuffled

Makes up the parts of a run that detects objects and describes each image, and collects each format of them in a process
of its own. Prints seconds, images a second, bytes, and the peak of the process's memory for each image beyond that of
the same for one part; and what a million images take at that rate.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch import Asked
from youtu_gguf.batch.collect import LINES, Collection
from youtu_gguf.batch.image import PARTS as PIECES
from youtu_gguf.batch.parts import Parts, Row
from youtu_gguf.batch.questions import question_to_json
from youtu_gguf.batch.shards import SHARD_SIZE
from youtu_gguf.batch.store import Store
from youtu_gguf.output import Source, to_json
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.types import Size

SIZE = Size(1280, 960)
ASKED = (Asked("detect", yg.Question("detect")), Asked("describe", yg.Question("describe")))
STORED = ("coco", "yolo")
DIFFERENT = 1024
"""Images that are made up; others repeat them under other names, none twice in a part."""

MILLION = 1_000_000
NAME = "photos/{:07}.jpg"
INDEX = "index"
"""Stands for reading what is finished, which precedes everything else."""


@dataclass(frozen=True)
class Cost:
    """What one format took: seconds, those of processors, bytes written, and the peak of memory in bytes."""

    seconds: float
    cpu_s: float
    written: int
    peak: int


def made_up(n_objects: int) -> Iterator[Row]:
    """Yield rows of different images, all named ""."""
    rng = np.random.default_rng(0)
    words = ["street", "red", "car", "behind", "a", "tree", "house", "person", "walks", "left", "of", "the", "and"]
    for _ in range(DIFFERENT):
        corners = np.sort(rng.integers(0, 900, (n_objects, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
        labels = tuple(f"kind {i}" for i in rng.integers(0, 20, n_objects))
        raw = "".join(
            f"<ref>{label}</ref><box>{''.join(f'<{axis}_{int(v)}>' for axis, v in zip('xyxy', box, strict=True))}</box>"
            for label, box in zip(labels, corners, strict=True)
        )
        boxes = yg.Boxes(xyxy=corners, labels=labels, raw=raw)
        text = yg.Text(" ".join(rng.choice(words, 60)))
        results = [{**to_json(value, task=asked.words)} for value, asked in zip((boxes, text), ASKED, strict=True)]
        file = f"files/a-00000000/1-detect{PIECES}"
        results[0]["parts"] = {"file": file, "formats": [*STORED]}
        line = {"schema": 1, "image": "", "sha256": rng.bytes(32).hex(), "size": [*SIZE], "results": results}
        pieces = b"".join(json_bytes(DATASETS[name].part(boxes, Source(size=SIZE))) for name in STORED)
        line["seconds"] = 1.234
        yield Row("", "12345-187d3a4b5c6d7e8f", "", *SIZE, 0, 1.234, json_bytes(line), {file: pieces})


def make(out: Path, n_images: int, n_objects: int, *, shuffled: bool) -> None:
    """Write the parts of a run."""
    store = Store(str(out))
    questions = [*map(question_to_json, ASKED)]
    settings = {"tasks": [asked.words for asked in ASKED], "questions": questions, "formats": [*STORED]}
    store.write("settings.json", json_bytes(settings))
    kinds = [*made_up(n_objects)]
    order = [*range(n_images)]
    if shuffled:
        random.Random(0).shuffle(order)
    for number, start in enumerate(range(0, n_images, SHARD_SIZE)):
        rows = []
        for place, n in enumerate(order[start : start + SHARD_SIZE], start):
            row, name = kinds[place % DIFFERENT], NAME.format(n)
            line = row.line.replace(b'"image": ""', f'"image": "{name}"'.encode())
            rows.append(replace(row, image=name, sha256=row.line[30:94].decode(), line=line))
        Parts(store).write(f"parts/000001-{number:06}.parquet", rows, {})


def collect(out: str, folder: str, form: str) -> None:
    """Collect one format, and print what that took."""
    started = time.perf_counter()
    found = Collection(Store(out))
    if form != INDEX:
        for _ in found.write(Path(folder), [form]):
            pass
    seconds = time.perf_counter() - started
    print(seconds, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def cost(out: Path, form: str) -> Cost:
    """Return what collecting one format takes, in a process of its own."""
    folder = out.parent / f"{out.name}-{form}"
    command = [sys.executable, __file__, "--collect", str(out), str(folder), form]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    written = size_of(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return Cost(float(told[0]), float(told[1]), written, int(told[2]))


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=200_000)
    parser.add_argument("--objects", type=count, default=12)
    parser.add_argument("--shuffled", action="store_true", help="as images in a list without order come")
    parser.add_argument("--formats", nargs="+", default=[INDEX, LINES, *STORED])
    parser.add_argument("--folder", help="where the files are made [default: for temporary files]")
    parser.add_argument("--collect", nargs=3, metavar=("OUT", "FOLDER", "FORMAT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.collect:
        collect(*args.collect)
        return
    order = "in no order" if args.shuffled else "in order"
    print(f"{args.images} images {order}, {args.objects} boxes each; Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        one, all_ = Path(folder, "one"), Path(folder, "all")
        make(one, SHARD_SIZE, args.objects, shuffled=False)
        make(all_, args.images, args.objects, shuffled=args.shuffled)
        scale = MILLION / args.images
        print(f"{'parts':6} {size_of(all_ / 'parts') * scale / 1e9:5.1f} GB a million")
        for form in args.formats:
            least, took = cost(one, form), cost(all_, form)
            print(
                f"{form:6} {took.written * scale / 1e9:5.1f} GB a million, {took.seconds:6.1f} s "
                f"({took.cpu_s - least.cpu_s:5.1f} of processors), {args.images / took.seconds:6.0f} images/s, "
                f"peak {took.peak / 1e6:4.0f} MB, "
                f"{(took.peak - least.peak) / args.images:5.0f} bytes of memory an image",
                flush=True,
            )


if __name__ == "__main__":
    main()
