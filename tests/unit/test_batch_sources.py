"""Images by path and by address: the same grammar, one listing of a folder, and what state each image is in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.object_store import object_store
from youtu_gguf.batch import find_images
from youtu_gguf.batch.sources import find_items
from youtu_gguf.batch.store import Store

FILES = [
    "photos/a.jpg", "photos/B.PNG", "photos/a/c d%20.jpg", "photos/a-1.jpg", "photos/.hidden/d.jpg", "photos/e.txt",
    "photos/[1].jpg", "photos/é.jpg",
]  # fmt: skip


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as address:
        store = Store(address)
        for name in FILES:
            store.write(name, name.encode())
        yield address


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())
    return tmp_path


NAMED = [
    ["photos"], ["photos/"], ["photos/*.jpg"], ["photos/**/*.jpg"], ["photos/**"], ["photos/?.jpg"], ["photos/*/*"],
    ["photos/[1].jpg"], ["photos/[ab].jpg"], ["photos/e.txt"], ["photos/a.jpg", "photos/none.jpg", "photos"],
    ["photos/none"], ["*/.hidden/*"], ["photos/.hidden"], ["photos/a*"],
]  # fmt: skip


@pytest.mark.parametrize("named", NAMED, ids=str)
def test_addresses_are_understood_as_paths_are(named: list[str], bucket: str, here: Path) -> None:
    local = find_items(named)
    assert [item.name for item in local] == [path.as_posix() for path in find_images(named)]
    stored = find_items([f"{bucket}/{name}" for name in named])
    assert [item.name for item in stored] == [f"{bucket}/{item.name}" for item in local]
    assert [item.etag is None for item in stored] == [item.etag is None for item in local]
    assert [item.name.endswith(("none", "none.jpg")) for item in local] == [item.etag is None for item in local]
