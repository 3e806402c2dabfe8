"""A folder anywhere: files are whole or not there, and errors say what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.object_store import object_store
from youtu_gguf.batch.store import Store, read_at


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as address:
        yield address


@pytest.fixture(params=["path", "file", "s3", "memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path, bucket: str) -> Iterator[Store]:
    """An empty folder on this machine, in an object store, and in two file systems of fsspec.

    fsspec's "local" is not among those that write a file whole.
    """
    yield Store(
        {
            "path": str(tmp_path / "out"),
            "file": (tmp_path / "out").as_uri(),
            "s3": f"{bucket}/{tmp_path.name}/out",
            "memory": f"memory://{tmp_path.name}/out",
            "local": f"fsspec+local://{tmp_path}/out",
        }[request.param]
    )


def test_a_store_holds_files_by_name(store: Store) -> None:
    assert store.files() == store.files("none") == {}
    assert store.read("parts/a b%20é.parquet") is None
    store.write("parts/a b%20é.parquet", b"first")
    before = store.files("parts")
    store.write("parts/a b%20é.parquet", b"second, longer")
    store.write("parts/.hidden", b"x")
    store.write("z", b"z")
    assert store.read("parts/a b%20é.parquet") == b"second, longer"
    with store.open("parts/a b%20é.parquet") as file:
        file.seek(-6, os.SEEK_END)
        assert bytes(file.read()) == b"longer"
    assert [*store.files()] == ["parts/a b%20é.parquet", "z"]
    assert [*store.files("parts", hidden=True)] == ["parts/.hidden", "parts/a b%20é.parquet"]
    assert [*store.files(deep=False)] == ["z"]
    assert store.files("parts")["parts/a b%20é.parquet"].size == len(b"second, longer")
    assert store.files("parts") != before
    store.remove("z")
    store.remove("z")
    assert store.read("z") is None


def test_a_missing_file_cannot_be_opened(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.open("none").read()
    assert read_at(f"{store.address}/none") is None
