"""Parts: what is read of them, which row of an image counts, and parts that cannot be read."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

import youtu_gguf as yg
from youtu_gguf.batch.parts import Parts, Row, encode
from youtu_gguf.batch.shards import cut, pending
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store

FIRST, SECOND = "parts/000001-0000-000000.parquet", "parts/000002-0000-000000.parquet"


def row(image: str, etag: str | None = "1", n_errors: int = 0) -> Row:
    pieces, files = {f"files/{image}/1-detect.parts.jsonl": b"[]\n"}, {f"files/{image}/1-detect.npz": b"PK" * 1000}
    return Row(image, etag, "0" * 64, 48, 40, n_errors, 0.5, b'{"schema": 1}\n', pieces, files)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    parts = Parts(Store(str(tmp_path)))
    parts.write(SECOND, [row("b", "2"), row("ä")], {"run": "000002-0000"})
    parts.write(FIRST, [row("c", None), row("b"), row("a", n_errors=1)], {"run": "000001-0000"})
    return parts


def test_rows_are_read_as_they_were_written(parts: Parts) -> None:
    assert parts.rows(SECOND) == [row("b", "2"), row("ä")]
    assert [about["run"] for about in parts.index().about] == ["000001-0000", "000002-0000"]


def test_files_are_left_in_the_store_unless_they_are_wanted(parts: Parts) -> None:
    (first, _) = parts.rows(SECOND, files=False)
    assert (first.files, first.pieces) == ({}, row("b").pieces)
    (first, _) = parts.rows(SECOND, files=False, pieces=False)
    assert (first.files, first.pieces) == ({}, {})


def test_the_row_of_the_last_run_counts_and_images_are_in_order(parts: Parts) -> None:
    index = parts.index()
    assert index.table.to_pydict() == {
        "image": ["a", "b", "c", "ä"],
        "etag": ["1", "2", None, "1"],
        "width": [48] * 4,
        "height": [40] * 4,
        "n_errors": [1, 0, 0, 0],
        "part": [0, 1, 0, 1],
        "row": [2, 0, 0, 1],
    }
    assert (index.parts, len(index)) == ((FIRST, SECOND), 4)


def test_no_part_is_an_empty_index(tmp_path: Path) -> None:
    index = Parts(Store(str(tmp_path))).index()
    assert len(index) == 0
    assert pending([Item("a", "/a", "1")], index).items == [Item("a", "/a", "1")]
    assert pending([], index).items == []


def test_images_are_pending_that_are_new_changed_or_could_not_be_read(parts: Parts) -> None:
    items = [Item(name, f"/{name}", "1") for name in "abcde"]
    todo = pending(items, parts.index())
    assert ([item.name for item in todo.items], todo.n_finished, todo.broken) == (["b", "c", "d", "e"], 1, ["a"])
    todo = pending(items, parts.index(), retry=True)
    assert ([item.name for item in todo.items], todo.n_finished, todo.broken) == (["a", "b", "c", "d", "e"], 0, [])


def test_an_image_that_is_gone_is_done_again_for_its_error(parts: Parts) -> None:
    todo = pending([Item("b", "/b", None), Item("ä", "/ä", "1")], parts.index())
    assert [item.name for item in todo.items] == ["b"]


def test_shards_have_what_is_known_of_their_images() -> None:
    items = [Item(name, f"/{name}", "1") for name in "abc"]
    first, second = cut(items, 2, "000001-0000", {"b": 1, "z": 2})
    assert (first.name, first.items, first.lost) == ("000001-0000-000000", (items[0], items[1]), {"b": 1})
    assert (second.name, second.items, second.lost) == ("000001-0000-000001", (items[2],), {})


def test_one_inserted_image_is_all_that_is_pending(parts: Parts) -> None:
    done = [Item("a", "/a", "1"), Item("ä", "/ä", "1")]
    todo = pending([Item("0", "/0", "9"), *done], parts.index())
    assert [item.name for item in todo.items] == ["0"]


def foreign() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table({"x": [1]}), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "to be whole"),
        (b"not Parquet", "to be whole"),
        (encode([row("a")], {})[:-100], "to be whole"),
        (encode([row("a")], {"format": 2}), "in format 1 .*got format 2"),
        (encode([row("a")], {"format": "x"}), "in format 1 .*got format x"),
        (foreign(), "to be a part of a batch; it lacks"),
    ],
)
def test_a_part_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, parts: Parts, data: bytes, words: str
) -> None:
    (tmp_path / FIRST).write_bytes(data)
    for read in (parts.index, lambda: parts.rows(FIRST)):
        with pytest.raises(yg.InputError, match=rf"{FIRST} in .*{words}") as failed:
            read()
        assert "the next run does its images again" in str(failed.value)


def test_other_files_beside_the_parts_are_left_alone(tmp_path: Path, parts: Parts) -> None:
    (tmp_path / "parts" / "notes.txt").write_text("mine")
    assert len(parts.index()) == 4
