"""What is collected of a run is what the command `batch` writes: with nano, from a folder and from an object store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.object_store import object_store
from youtu_gguf.batch import Asked, Batch, Finished, Journal, Worker, settings_of, write_datasets
from youtu_gguf.batch.collect import Collection
from youtu_gguf.batch.folder import check_settings
from youtu_gguf.batch.image import Questions
from youtu_gguf.batch.questions import question_to_json
from youtu_gguf.batch.shard import run_shard
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.sources import find_items
from youtu_gguf.batch.store import Store
from youtu_gguf.cli.lines import parse_line
from youtu_gguf.output.datasets import DATASETS

TASKS = ("instances --crop-size 224", "pose", "describe", "segment sky grass --present all", "depth")
FORMATS = (*DATASETS, "npz", "index.png", "pfm")
N = 5
SHARDS = (slice(2, 4), slice(0, 2), slice(4, None))
"""Images of the shards, which do not come in the order of names."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with images, one broken; what `batch` made of them in `batch`; parts in `out` and `s3://bucket/out`."""
    root = tmp_path_factory.mktemp("collecting")
    with pytest.MonkeyPatch.context() as patch, object_store() as bucket:
        patch.chdir(root)
        (root / "photos/deep").mkdir(parents=True)
        names = [f"photos/{n}.png" for n in range(N)] + ["photos/deep/é.png"]
        for n, name in enumerate(names):
            Image.fromarray(draw(TEST_SEEDS + n).rgb).save(root / name)
        (root / "photos/3.png").write_bytes(b"no image")
        lines = [(words, parse_line(words)) for words in TASKS]
        asked = [Asked(words, line.question, {"arguments": line.arguments}) for words, line in lines]
        items = find_items(["photos"])
        with Worker(partial(yg.load, "nano", threads=1)) as worker:
            settings = settings_of(worker, asked, {}, FORMATS)
            with Journal(root / "batch", settings) as journal:
                for _ in Batch(worker, asked, journal, formats=FORMATS).run([Path(item.name) for item in items]):
                    pass
                list(write_datasets(Finished.of(journal.folder, asked, journal.lines), FORMATS))
            for out in ("out", f"{bucket}/out"):
                store = Store(out)
                check_settings(store, settings | {"questions": [*map(question_to_json, asked)]})
                for number, part in enumerate(SHARDS):
                    shard = Shard(f"000001-{number:06}", tuple(items[part]))
                    run_shard(lambda: worker, shard, Questions(tuple(asked), FORMATS), store)
        yield root


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a folder without times, in the order of names."""
    found = [json.loads(line) for line in (folder / "results.jsonl").read_bytes().splitlines()]
    for part in [part for line in found for part in (line, *line.get("results", ()))]:
        part.pop("seconds", None)
        part.pop("timings", None)
    return sorted(found, key=lambda line: str(line["image"]))


def files(folder: Path) -> dict[str, bytes]:
    """Return all other files, but for the parts of data sets and the settings."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    left_out = ("results.jsonl", "settings.json")
    return {name: data for name, data in found.items() if name not in left_out and not name.endswith(".parts.jsonl")}


@pytest.mark.parametrize("out", ["out", "s3://bucket/out"])
def test_what_is_collected_is_what_a_batch_writes(root: Path, monkeypatch: pytest.MonkeyPatch, out: str) -> None:
    monkeypatch.chdir(root)
    folder = root / f"collected-{len(out)}"
    found = Collection(Store(out))
    done = [*found.write(folder, found.formats)]
    assert (found.n_images, found.n_broken) == (N + 1, 1)
    assert lines(folder) == lines(root / "batch")
    expected, got = files(root / "batch"), files(folder)
    assert sorted(got) == sorted(expected)
    assert [name for name in got if got[name] != expected[name]] == []
    assert {one.n_images for one in done} == {N, N + 1}
