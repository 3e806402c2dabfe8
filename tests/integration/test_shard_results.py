"""Shards give what `batch` gives, byte for byte: the lines but for seconds, and all files; from object stores too."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.mortal import rows_of, shard_of
from tests.object_store import object_store
from youtu_gguf.batch import Asked, Batch, Journal, Worker
from youtu_gguf.batch.image import Questions, folder_of
from youtu_gguf.batch.shard import run_shard
from youtu_gguf.batch.store import Store

ASKED = (
    Asked("detect car tree", yg.Question("detect", (["car", "tree"],)), {"arguments": {"classes": ["car", "tree"]}}),
    Asked("depth", yg.Question("depth")),
    Asked("describe", yg.Question("describe")),
)
FORMATS = ("coco", "yolo", "csv", "npz", "png")
N_DRAWN = 4

_SECONDS = re.compile(rb'("seconds": )[\d.e-]+|("timings": )\{[^}]*\}')


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(partial(yg.load, "nano", threads=1)) as worker:
        yield worker


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Drawn scenes, one with a name that is not text; an image that is broken, and one that is missing."""
    folder = tmp_path_factory.mktemp("shard") / "photos"
    folder.mkdir()
    names: list[str | bytes] = [f"{n}.png" for n in range(N_DRAWN)]
    if sys.platform not in ("darwin", "win32"):
        names[1] = b"a\xff \xc3\xa4.png"
    for n, name in enumerate(names):
        Image.fromarray(draw(TEST_SEEDS + n).rgb).save(folder / os.fsdecode(name))
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "text.jpg").write_text("no image")
    return [*map(str, sorted(folder.iterdir())), str(folder / "gone.png")]


def timeless(line: bytes) -> bytes:
    return _SECONDS.sub(rb"\1\2null", line)


def of_batch(worker: Worker, images: Sequence[str], out: Path) -> tuple[list[bytes], dict[str, bytes]]:
    """Return the lines and files of a batch."""
    with Journal(out, {}) as journal:
        for _ in Batch(worker, ASKED, journal, formats=FORMATS).run([*map(Path, images)]):
            pass
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.glob("files/*/*")}
    return [*map(timeless, (out / "results.jsonl").read_bytes().splitlines(keepends=True))], found


def of_shard(worker: Worker, named: Sequence[str], out: str) -> tuple[list[bytes], dict[str, bytes]]:
    """Return the lines and files of a shard."""
    done = run_shard(lambda: worker, shard_of(named), Questions(ASKED, FORMATS), Store(out))
    assert (done.n_images, len(done.broken), done.attempt) == (len(named), 3, 1)
    rows = rows_of(out)
    return [timeless(row.line) for row in rows], {
        n: d for row in rows for n, d in (*row.files.items(), *row.pieces.items())
    }


@pytest.fixture(scope="module")
def expected(
    worker: Worker, images: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[bytes], Mapping[str, bytes]]:
    return of_batch(worker, images, tmp_path_factory.mktemp("batch"))


def test_a_shard_of_local_images_gives_what_batch_gives(
    worker: Worker, images: list[str], expected: tuple[list[bytes], Mapping[str, bytes]], tmp_path: Path
) -> None:
    lines, files = of_shard(worker, images, str(tmp_path / "out"))
    assert lines == expected[0]
    assert files == expected[1]
    kinds = Counter(name.rpartition("/")[2].partition(".")[0] for name in files)
    assert kinds == {"1-detect": 3 * N_DRAWN, "2-depth": 3 * N_DRAWN, "3-describe": N_DRAWN}


def test_a_shard_on_an_object_store_gives_what_batch_gives(
    worker: Worker, images: list[str], expected: tuple[list[bytes], Mapping[str, bytes]]
) -> None:
    named = [name for name in images if name.isprintable()]
    with object_store() as bucket:
        photos = Store(f"{bucket}/photos")
        for name in named:
            if Path(name).exists():
                photos.write(Path(name).name, Path(name).read_bytes())
        lines, files = of_shard(worker, [f"{bucket}/photos/{Path(name).name}" for name in named], f"{bucket}/out")

    def moved(data: bytes) -> bytes:
        for name in named:
            address = f"{bucket}/photos/{Path(name).name}"
            data = data.replace(f'"{name}"'.encode(), f'"{address}"'.encode())
            data = data.replace(f" {name}:".encode(), f" {address}:".encode())  # in messages
            data = data.replace(folder_of(name).encode(), folder_of(address).encode())
        return data

    assert lines == [moved(line) for line in expected[0] if json.loads(line)["image"] in named]
    here = {moved(name.encode()).decode(): moved(data) for name, data in expected[1].items()}
    assert files.keys() == here.keys() - {name for name in here if name.startswith("files/a_")}
    for name, data in files.items():  # arrays have the image's name in them, packed
        assert name.endswith(".npz") or data == here[name], name
