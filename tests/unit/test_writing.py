"""Large files are there whole or not at all: after a kill, on a full disk, with two writers at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.atomic import replacing
from youtu_gguf.engines.native.llama import quantizing

LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    "from youtu_gguf.cli.main import main; main()"
)
STALLING = (
    "import sys, time; from youtu_gguf.weights import slim; "
    "from youtu_gguf.weights.synthetic import pair as synthetic; "
    "import youtu_gguf.gguf.writer as writing; import numpy as np; "
    "real = writing._pad; "
    "writing._pad = lambda file: (real(file), file.flush(), time.sleep(30 if file.tell() > 200_000 else 0)); "
    "from youtu_gguf.cli.main import main; main()"
)
WRITERS = ("slim", "synth")


def arguments(writer: str, pair: Pair, folder: Path) -> list[str]:
    if writer == "synth":
        return ["synth", str(folder), "--quant", "F32", "--quiet"]
    more = ["Q4_0", "--threads", "1"] if writer == "quantize" else []
    return [writer, str(pair[0]), str(folder / "out.gguf"), *more, "--quiet"]


def run(code: str, *words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code, *words], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_killed_writer_leaves_no_half_file_and_the_next_clears_up(
    writer: str, tiny_pair: Pair, tmp_path: Path
) -> None:
    words = arguments(writer, tiny_pair, tmp_path)
    process = run(STALLING, *words)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 200_000 for path in tmp_path.glob(".*.part")):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.glob("[!.]*"))
    done = run("from youtu_gguf.cli.main import main; main()", *words)
    assert done.communicate()[1] == ""
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found and not any(name.startswith(".") for name in found)
    for name in found:
        assert yg.weights.inspect(tmp_path / name).problem is None


@pytest.mark.parametrize("writer", [*WRITERS, "quantize"])
def test_a_disk_that_fills_up_is_one_clear_error(writer: str, tiny_pair: Pair, tmp_path: Path) -> None:
    process = run(LIMITED, *arguments(writer, tiny_pair, tmp_path))
    _, err = process.communicate()
    assert process.returncode in (2, 4), err
    assert err.startswith("error: ") and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writer", [*WRITERS, "quantize"])
def test_too_little_room_is_said_before_anything_is_written(
    writer: str, tiny_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(yg.InputError, match=r"GB free; got 0\.0 GB\. Free some"):
        if writer == "synth":
            yg.weights.write_synthetic_pair(tmp_path, "tiny")
        elif writer == "slim":
            yg.weights.slim(tiny_pair[0], tmp_path / "out.gguf")
        else:
            yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", "Q4_0")
    assert list(tmp_path.iterdir()) == []


def test_a_quantiser_that_is_stopped_leaves_nothing_and_no_process(tiny_pair: Pair, tmp_path: Path) -> None:
    def stop(_stage: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", "Q4_0", threads=1, progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert psutil.Process().children() == []


def test_what_ends_llama_cpp_does_not_end_us(tiny_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantizing, "_CHILD", "import os; print('GGML_ASSERT(x) failed', flush=True); os.abort()")
    with pytest.raises(yg.EngineError, match=r"status -6\)\. GGML_ASSERT\(x\) failed"):
        yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", "Q4_0", threads=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [None, 3, "", "a\0b"])
def test_what_is_no_path_is_refused(bad: object, tiny_pair: Pair, tmp_path: Path) -> None:
    good = tmp_path / "out.gguf"
    for call in (
        lambda: yg.weights.slim(bad, good),  # type: ignore[arg-type]
        lambda: yg.weights.slim(tiny_pair[0], bad),  # type: ignore[arg-type]
        lambda: yg.weights.quantize(bad, good, "Q4_0"),  # type: ignore[arg-type]
        lambda: yg.weights.quantize(tiny_pair[0], bad, "Q4_0"),  # type: ignore[arg-type]
        lambda: yg.weights.inspect(bad),  # type: ignore[arg-type]
    ):
        with pytest.raises(yg.InputError, match="must be a path; got"):
            call()


@pytest.mark.parametrize(("encoding", "threads"), [(None, 1), (8, 1), ("Q4_0", 0), ("Q4_0", "two"), ("Q4_0", 9999)])
def test_what_cannot_be_quantised_with_is_refused(
    encoding: object, threads: object, tiny_pair: Pair, tmp_path: Path
) -> None:
    with pytest.raises(yg.InputError, match=r"expected an encoding among|threads must be a whole number"):
        yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", encoding, threads=threads)  # type: ignore[arg-type]


def test_two_writers_of_one_file_do_not_mix(tiny_pair: Pair, tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    with replacing(target) as temporary:
        temporary.write_bytes(b"first")
        with pytest.raises(yg.InputError, match="another process is doing so"):
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
