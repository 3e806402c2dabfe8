"""What an engine remembers: bounded, by content, and never anything damaged."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.cache import MAGIC, ByteCache, PrefixStates, StateFiles
from youtu_gguf.errors import InputError


def states(seed: int = 0, n: int = 6, cache: bytes = b"keys and values") -> PrefixStates:
    return PrefixStates(np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32), cache)


def test_the_longest_unused_goes_first() -> None:
    cache: ByteCache[np.ndarray] = ByteCache(300)
    for name in "abc":
        cache.put(name, np.zeros(100, np.uint8))
    cache.get("a")
    cache.put("d", np.zeros(100, np.uint8))
    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "c", "d"]
    assert cache.nbytes == 300


def test_what_is_larger_than_the_bound_is_not_kept_and_drives_nothing_out() -> None:
    cache: ByteCache[np.ndarray] = ByteCache(100)
    cache.put("small", np.zeros(60, np.uint8))
    cache.put("large", np.zeros(101, np.uint8))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_replacing_a_value_counts_its_bytes_once() -> None:
    cache: ByteCache[np.ndarray] = ByteCache(100)
    for n in (50, 90, 10):
        cache.put("a", np.zeros(n, np.uint8))
    assert cache.nbytes == 10


@pytest.mark.parametrize("cache", [b"keys and values", b""])
def test_states_come_back_from_disk_as_they_were(tmp_path: Path, cache: bytes) -> None:
    StateFiles(tmp_path / "new", 1 << 20, "model").put("image", states(cache=cache))
    found = StateFiles(tmp_path / "new", 1 << 20, "model").get("image")
    assert found is not None
    assert np.array_equal(found.hidden, states().hidden)
    assert found.cache == cache


def test_another_model_or_image_finds_nothing(tmp_path: Path) -> None:
    StateFiles(tmp_path, 1 << 20, "model").put("image", states())
    assert StateFiles(tmp_path, 1 << 20, "another").get("image") is None
    assert StateFiles(tmp_path, 1 << 20, "model").get("another") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path: Path, damage: str) -> None:
    files = StateFiles(tmp_path, 1 << 20, "model")
    files.put("image", states())
    path = files.path("image")
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-3] ^= 1
    path.write_bytes({"cut": data[:-5], "flip": data, "empty": b"", "foreign": b"GGUF" * 40}[damage])
    assert files.get("image") is None
    files.put("image", states())
    assert files.get("image") is not None


def test_no_flipped_bit_and_no_cut_goes_unnoticed(tmp_path: Path) -> None:
    files = StateFiles(tmp_path, 1 << 20, "model")
    files.put("image", states(n=2, cache=b"keys"))
    path = files.path("image")
    whole = path.read_bytes()
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        assert files.get("image") is None
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[n] ^= 1 << bit
            path.write_bytes(damaged)
            assert files.get("image") is None
    path.write_bytes(whole + b"\0")
    assert files.get("image") is None


@pytest.mark.parametrize("sizes", [(0, 0, 0), (0, 4, 52), (-2, -4, 20), (1 << 40, 1 << 40, 52), (13, 1, -1)])
def test_sizes_that_the_file_does_not_have_are_damage(tmp_path: Path, sizes: tuple[int, int, int]) -> None:
    files = StateFiles(tmp_path, 1 << 20, "model")
    files.put("image", states(n=2, cache=b"keys" * 5))
    path = files.path("image")
    whole = path.read_bytes()
    path.write_bytes(MAGIC + struct.pack("<qqq", *sizes) + whole[len(MAGIC) + 24 :])
    assert files.get("image") is None


def test_states_from_disk_share_no_memory_with_each_other_nor_with_the_file(tmp_path: Path) -> None:
    files = StateFiles(tmp_path, 1 << 20, "model")
    files.put("image", states())
    found = files.get("image")
    assert found is not None
    with files.path("image").open("r+b") as file:
        file.truncate(3)
    assert np.array_equal(found.hidden, states().hidden)
    assert found.cache == states().cache
    assert not np.shares_memory(found.hidden, np.frombuffer(found.cache, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        found.hidden[0] = 0
    assert memoryview(found.cache).readonly


def test_files_stay_within_their_bound_and_the_longest_unused_goes(tmp_path: Path) -> None:
    roomy = StateFiles(tmp_path, 1 << 20, "model")
    for age, name in enumerate("abc"):
        roomy.put(name, states())
        os.utime(roomy.path(name), (age, age))
    size = roomy.path("a").stat().st_size
    files = StateFiles(tmp_path, 3 * size, "model")
    files.get("a")
    files.put("d", states())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 3 * size
    assert [name for name in "abcd" if files.get(name) is not None] == ["a", "c", "d"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cache_dir must be a folder; .*file/below cannot be created"):
        StateFiles(tmp_path / "file" / "below", 1, "model")
    with pytest.raises(InputError, match=r"cache_dir must be a folder; .*cannot be created: (mkdir: )?embedded null"):
        StateFiles(tmp_path / "\0", 1, "model")


@pytest.mark.parametrize("folder", ["", 3, b"x", "~nobody-of-that-name/x"])
def test_what_is_no_path_is_refused_as_a_setting(folder: object) -> None:
    with pytest.raises(InputError, match="cache_dir must be a path"):
        make_settings(cache_dir=folder)


def test_a_disk_that_fails_costs_only_the_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = StateFiles(tmp_path, 1 << 20, "model")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    files.put("image", states())
    assert files.get("image") is None
    assert list(tmp_path.iterdir()) == []
