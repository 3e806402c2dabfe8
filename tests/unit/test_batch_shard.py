"""Shards: their rows and parts, and images that are elsewhere, gone, or not on this machine."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

import youtu_gguf as yg
from tests.mortal import ANSWERS, QUESTIONS, Here, rows_of, shard_of
from tests.pictures import write_images
from tests.unit.test_batch import timeless
from youtu_gguf.batch import Asked, Batch, Journal
from youtu_gguf.batch.ahead import AHEAD, PREFIX, ReadingAhead, temporary_folder
from youtu_gguf.batch.image import Questions
from youtu_gguf.batch.ledger import MemoryLedger
from youtu_gguf.batch.parts import Parts
from youtu_gguf.batch.shard import ShardWork, run_shard
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store
from youtu_gguf.testing import FakeEngine

REMOTE = "memory://photos"


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "images", range(0, 50, 10))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def remote(images: list[Path]) -> Iterator[list[str]]:
    """Addresses of the same images in a store."""
    files = fsspec.filesystem("memory")
    for path in images:
        files.pipe(f"/photos/{path.name}", path.read_bytes())
    yield [f"{REMOTE}/{path.name}" for path in images]
    files.rm("/photos", recursive=True)


class Watched(Here):
    """Notes what a journal knows of each image before and after it is begun."""

    def __init__(self, journal: MemoryLedger) -> None:
        super().__init__()
        self._journal = journal
        self.tries: list[tuple[int, int]] = []

    def make_ready(self, path: Path) -> None:
        super().make_ready(path)
        self._before = self._journal.tries(path.as_posix())

    def start(self, path: Path) -> None:
        super().start(path)
        self.tries.append((self._before, self._journal.tries(path.as_posix())))


def test_an_image_is_not_blamed_for_deaths_before_it_is_looked_at(images: list[Path]) -> None:
    journal = MemoryLedger()
    watched = Watched(journal)
    names = {path: path.as_posix() for path in images}
    assert [*Batch(watched, ShardWork(QUESTIONS, names), journal).run(images)] == images
    assert watched.tries == [(0, 1)] * len(images)


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(row.line) for row in rows_of(str(out))]


def run(out: Path, shard: Shard, **options: object) -> Here:
    here = Here()
    run_shard(lambda: here, shard, QUESTIONS, Store(str(out)), **options)  # type: ignore[arg-type]
    return here


def test_lines_and_files_are_those_of_batch(tmp_path: Path, images: list[Path]) -> None:
    formats = ("coco", "npz", "png")
    images[1].write_bytes(images[1].read_bytes()[:50])
    named = [*map(str, images), str(tmp_path / "gone.png")]
    asked = (
        Asked("detect", yg.Question("detect", (None,))),
        Asked("strict", yg.Question("count", ("x",), {"strict": True})),
    )
    with Journal(tmp_path / "batch", {}) as journal:
        list(Batch(yg.load(engine=FakeEngine(ANSWERS)), asked, journal, formats=formats).run([*map(Path, named)]))
    store = Store(str(tmp_path / "out"))
    done = run_shard(Here, shard_of(named), Questions(asked, formats), store, about={"node": "here"})
    rows = rows_of(str(tmp_path / "out"))
    expected = [json.loads(line) for line in (tmp_path / "batch" / "results.jsonl").read_text("utf-8").splitlines()]
    assert timeless([json.loads(row.line) for row in rows]) == timeless(expected)
    assert [list(json.loads(row.line)) for row in rows] == [list(line) for line in expected]
    files = {name: data for row in rows for name, data in (*row.files.items(), *row.pieces.items())}
    folder = tmp_path / "batch"
    written = {path.relative_to(folder).as_posix(): path for path in folder.glob("files/*/*")}
    assert files == {name: path.read_bytes() for name, path in written.items()}
    assert {name for row in rows for name in row.pieces} == {name for name in written if name.endswith(".parts.jsonl")}
    assert [row.n_errors for row in rows] == [1, 1, 1, 1, 1, 1]
    assert len(done.broken) == 6
    (about,) = Parts(store).index().about
    assert about == {"format": 1, "shard": "000001-0000-000000", "node": "here"}


def test_etags_are_those_of_the_listing_and_none_for_what_could_not_be_read(tmp_path: Path, images: list[Path]) -> None:
    images[1].write_bytes(b"broken")
    shard = shard_of([*map(str, images)])
    images[2].unlink()
    images[3].write_bytes(images[4].read_bytes())
    run(tmp_path / "out", shard)
    etags = [item.etag for item in shard.items]
    rows = rows_of(str(tmp_path / "out"))
    assert [row.etag for row in rows] == [etags[0], etags[1], None, etags[3], etags[4]]
    assert rows[3].sha256 == rows[4].sha256  # what was there when it was read; the next run does it again
    assert [row.width for row in rows] == [48, None, None, 48, 48]


def test_images_that_are_not_on_a_machine_are_its_fault_not_theirs(tmp_path: Path, images: list[Path]) -> None:
    shard = shard_of([str(images[0].parent)])
    for path in images:
        path.unlink()
    with pytest.raises(yg.InputError, match=rf"on {socket.gethostname()} too; of 5 none.*{images[0]}.*Share"):
        run(tmp_path / "out", shard)
    assert rows_of(str(tmp_path / "out")) == []
    run(tmp_path / "few", Shard("a", shard.items[:2]))
    assert [row.n_errors for row in rows_of(str(tmp_path / "few"))] == [1, 1]


def test_images_that_were_never_there_are_errors_each(tmp_path: Path) -> None:
    run(tmp_path / "out", shard_of([f"{tmp_path}/{name}.png" for name in "abcd"]))
    assert [row.n_errors for row in rows_of(str(tmp_path / "out"))] == [1] * 4


def test_images_of_a_store_give_the_results_of_local_ones(
    tmp_path: Path, images: list[Path], remote: list[str], temporary: Path
) -> None:
    for name, named in (("local", [*map(str, images)]), ("remote", remote)):
        run_shard(Here, shard_of(named), Questions(QUESTIONS.asked, ()), Store(str(tmp_path / name)))
    both = timeless(lines(tmp_path / "local")), timeless(lines(tmp_path / "remote"))
    for local, line, path, address in zip(*both, images, remote, strict=True):
        assert (local.pop("image"), line.pop("image")) == (str(path), address)
        assert line == local
    assert list(temporary.iterdir()) == []


def test_an_image_of_a_store_that_is_gone_has_the_error_that_a_local_one_has(
    tmp_path: Path, remote: list[str], temporary: Path
) -> None:
    shard = shard_of(remote)
    fsspec.filesystem("memory").rm("/photos/1.png")
    run(tmp_path / "out", shard)
    row = rows_of(str(tmp_path / "out"))[1]
    message = json.loads(row.line)["error"]["message"]
    assert message == f"expected an image file; got {remote[1]}: No such file or directory. Check the path."
    assert (row.etag, row.sha256) == (None, None)
    assert list(temporary.iterdir()) == []


def test_a_store_that_cannot_be_read_at_all_ends_the_run(tmp_path: Path, temporary: Path) -> None:
    shard = Shard("a", tuple(Item(f"nowhere://x/{n}", f"nowhere://x/{n}", "1") for n in range(3)))
    with pytest.raises(yg.InputError, match="nowhere"):
        run(tmp_path / "out", shard)
    assert rows_of(str(tmp_path / "out")) == []
    assert list(temporary.iterdir()) == []


def test_an_image_that_is_named_in_two_ways_has_two_rows(
    tmp_path: Path, images: list[Path], temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "out", shard_of(["images/0.png", str(images[0])]))
    assert [row.image for row in rows_of(str(tmp_path / "out"))] == ["images/0.png", str(images[0])]
    assert len({row.sha256 for row in rows_of(str(tmp_path / "out"))}) == 1
    assert list(temporary.iterdir()) == []


def test_few_images_are_read_ahead(temporary: Path, remote: list[str]) -> None:
    items = [Item(f"{address}-{n}", address, "1") for n, address in enumerate(remote * 3)]
    with ReadingAhead(Here(), items) as asker:
        asker.prepare(ShardWork(QUESTIONS, {path: item.name for path, item in asker.places.items()}))
        most = 0
        for path in asker.places:
            asker.start(path)
            most = max(most, len(list(temporary.glob("*/*.png"))))
            asker.wait()
        assert most <= AHEAD + 1
        assert [path for path in temporary.glob("*/*") if path.name != ".lock"] == []
    assert list(temporary.iterdir()) == []


def test_what_a_killed_actor_left_is_removed_and_what_others_use_is_not(temporary: Path) -> None:
    left = temporary / f"{PREFIX}left"
    left.mkdir()
    (left / ".lock").touch()
    (left / "3.png").touch()
    (temporary / f"{PREFIX}new").mkdir()  # its owner has not locked it yet
    with temporary_folder() as first, temporary_folder() as second:
        found = {path.name for path in temporary.iterdir()}
        assert found == {first.name, second.name, f"{PREFIX}new"}


def test_files_that_take_much_memory_are_written_early(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("youtu_gguf.batch.shard.MOST_HELD", 1)
    run(tmp_path / "out", shard_of([*map(str, images)]))
    store = Store(str(tmp_path / "out"))
    assert [row.image for row in rows_of(str(tmp_path / "out"))] == [str(path) for path in images]
    assert len(Parts(store).names()) == len(images)


def test_each_image_that_is_done_is_told(tmp_path: Path, images: list[Path]) -> None:
    told: list[str] = []
    run(tmp_path / "out", shard_of([*map(str, images)]), told=lambda line: told.append(line["image"]))
    assert told == [str(path) for path in images]
