"""The folder of a server's batches: made for one user, removed, and swept where a killed server left one."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from youtu_gguf.serve.batch_folder import PREFIX, BatchFolder

LONG_AGO = (0, 0)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_for_its_user_alone_and_goes_with_what_is_in_it() -> None:
    folder = BatchFolder()
    path = folder.path()
    assert folder.path() == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o700 or os.name != "posix"
    (path / "deep").mkdir()
    (path / "deep" / "file").touch()
    folder.remove()
    folder.remove()
    assert not path.exists()


def test_what_a_killed_server_left_goes_and_that_of_a_running_one_stays(temporary: Path) -> None:
    running = BatchFolder()
    kept = running.path()
    left, young, other = (temporary / name for name in (f"{PREFIX}left", f"{PREFIX}young", "another"))
    for path in (left, young, other):
        path.mkdir()
        (path / "image").touch()
    for path in (kept, left, other):
        os.utime(path, LONG_AGO)
    (temporary / f"{PREFIX}link").symlink_to(other)
    folder = BatchFolder()
    folder.path()
    assert [path.exists() for path in (kept, left, young, other)] == [True, False, True, True]
    running.remove()
    folder.remove()
