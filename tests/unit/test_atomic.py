"""Files that are there whole or not at all: permissions, leftovers, two writers at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from youtu_gguf.atomic import replacing, replacing_folder, write_bytes
from youtu_gguf.errors import InputError, OutputError

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


def test_a_file_is_written_and_nothing_else_stays(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"old")
    write_bytes(str(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@posix
@pytest.mark.parametrize(("private", "mode"), [(False, 0o640), (True, 0o600)])
def test_a_file_has_the_permissions_of_new_files_unless_it_is_private(private: bool, mode: int, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"data", private=private)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    for name in (".file.part", ".file.lock"):
        (tmp_path / name).write_bytes(b"half")
    write_bytes(tmp_path / "file", b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_writers_of_one_small_file_take_turns(tmp_path: Path) -> None:
    path, failed = tmp_path / "file", list[BaseException]()

    def write(text: bytes) -> None:
        try:
            for _ in range(5):
                write_bytes(path, text)
        except BaseException as exc:  # noqa: BLE001 - of the thread
            failed.append(exc)

    texts = [bytes([65 + n]) * 100_000 for n in range(4)]
    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert path.read_bytes() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_writer_that_does_not_wait_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as temporary:
        temporary.write_bytes(b"first")
        with pytest.raises(OutputError, match="another process is doing so"), replacing(path):
            pass
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("name", ["no/such/folder/file", "a-file/file", "n" * 300, "/"])
def test_where_nothing_can_be_written_is_an_output_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_bytes(b"")
    with pytest.raises((InputError, OutputError), match=r"expected to write .* a folder you may write to|too long"):
        write_bytes(tmp_path / name, b"data")
    assert list(tmp_path.iterdir()) == [tmp_path / "a-file"]


def in_folder(path: Path) -> dict[str, str]:
    return {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*") if file.is_file()}


def replace_folder(path: Path, text: str, *, fails: bool = False) -> None:
    with replacing_folder(path, ("images",)) as folder:
        (folder / "labels").mkdir()
        (folder / "labels/a.txt").write_text(text)
        if fails:
            raise KeyboardInterrupt


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "set"
    replace_folder(path, "one")
    (path / "images").mkdir()
    (path / "images/mine").write_text("kept")
    (path / "labels/stale.txt").write_text("gone")
    with pytest.raises(KeyboardInterrupt):
        replace_folder(path, "two", fails=True)
    assert in_folder(path) == {"labels/a.txt": "one", "images/mine": "kept", "labels/stale.txt": "gone"}
    replace_folder(path, "two")
    assert in_folder(path) == {"labels/a.txt": "two", "images/mine": "kept"}
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("step", ["writing", "between the renames", "after the renames", "after what is kept"])
def test_what_a_kill_at_any_step_of_replacing_a_folder_left_is_put_right(tmp_path: Path, step: str) -> None:
    path, new, old = tmp_path / "set", tmp_path / ".set.part", tmp_path / ".set.old"
    replace_folder(path, "one")
    (path / "images").mkdir()
    (path / "images/mine").write_text("kept")
    if step != "writing":
        path.rename(old)
    (path if step.startswith("after") else new).mkdir()
    if step == "after what is kept":
        (old / "images").rename(path / "images")
    replace_folder(path, "two")
    assert in_folder(path) == {"labels/a.txt": "two", "images/mine": "kept"}
    assert [*tmp_path.iterdir()] == [path]
