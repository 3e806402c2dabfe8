"""Lock files: who gets in, who is refused, who waits, and what is left."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from youtu_gguf.locks import locked


def refuse() -> None:
    raise RuntimeError("busy")


def test_nothing_is_left_of_a_lock(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", refuse):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_lock_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock", refuse):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_may_be_refused_and_gets_in_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", refuse):
        with pytest.raises(RuntimeError, match="busy"), locked(tmp_path / "lock", refuse):
            pytest.fail("two are in")
        assert (tmp_path / "lock").exists()  # of the first still
    with locked(tmp_path / "lock", refuse):
        pass


def test_who_comes_second_may_wait_for_a_while_before(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with locked(tmp_path / "lock", refuse):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(10)
    threading.Timer(0.05, leave.set).start()
    with locked(tmp_path / "lock", refuse, wait_s=10):
        pass
    thread.join()


def test_a_lock_that_is_left_behind_by_a_killed_process_is_free(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with locked(tmp_path / "lock", refuse):
        pass


def test_never_are_two_in_at_once_although_each_removes_the_file(tmp_path: Path) -> None:
    inside, most, told = [0], [0], []

    def work() -> None:
        for _ in range(5):
            with locked(tmp_path / "lock", lambda: told.append("waiting")):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError), locked(tmp_path / "file" / "lock", refuse):
        pass
