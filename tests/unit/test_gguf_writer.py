"""Large files are there whole or not at all: with two writers at once, and after an error while writing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.atomic import replacing


@pytest.mark.parametrize("writer", ["slim", "synth"])
def test_too_little_room_is_said_before_anything_is_written(
    writer: str, tiny_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(yg.OutputError, match=r"GB free; got 0\.0 GB\. Free some"):
        if writer == "synth":
            yg.weights.write_synthetic_pair(tmp_path, "tiny")
        else:
            yg.weights.slim(tiny_pair[0], tmp_path / "out.gguf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [None, 3, "", "a\0b"])
def test_what_is_no_path_is_refused(bad: object, tiny_pair: Pair, tmp_path: Path) -> None:
    good = tmp_path / "out.gguf"
    for call in (
        lambda: yg.weights.slim(bad, good),  # type: ignore[arg-type]
        lambda: yg.weights.slim(tiny_pair[0], bad),  # type: ignore[arg-type]
        lambda: yg.weights.inspect(bad),  # type: ignore[arg-type]
    ):
        with pytest.raises(yg.InputError, match="must be a path; got"):
            call()


def test_two_writers_of_one_file_do_not_mix(tiny_pair: Pair, tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    with replacing(target) as temporary:
        temporary.write_bytes(b"first")
        with pytest.raises(yg.OutputError, match="another process is doing so"):
            yg.weights.slim(tiny_pair[0], target)
    assert target.read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_an_error_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]
