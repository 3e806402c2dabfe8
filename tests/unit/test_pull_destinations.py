"""Names of pulled files in the cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from youtu_gguf.hub.destinations import _link


def test_threads_that_name_the_same_file_leave_it_where_it_is(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / "etag"
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    name = tmp_path / "snapshots" / "commit" / "model.gguf"
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(_link, blob, name) for _ in range(400)]:
            done.result()
    assert blob.read_bytes() == b"weights"
    assert name.is_symlink() and name.read_bytes() == b"weights"
    assert [path.name for path in name.parent.iterdir()] == ["model.gguf"]
