"""Large files are there whole or not at all: after a kill, on a full disk, and when llama.cpp writes them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import youtu_gguf as yg
from tests.conftest import Pair

COMMAND = "from youtu_gguf.cli.main import main; main()"
LIMITED = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); {COMMAND}"
STALLING = """
import sys
import youtu_gguf as yg

def stall(stage, done, total):
    if done > 300_000:
        print("in the middle", flush=True)
        sys.stdin.read()

if sys.argv[1] == "synth":
    yg.weights.write_synthetic_pair(sys.argv[2], "tiny", quant="F32", progress=stall)
else:
    yg.weights.slim(sys.argv[2], sys.argv[3], progress=stall)
"""
WRITERS = ("slim", "synth")


def arguments(writer: str, pair: Pair, folder: Path) -> list[str]:
    if writer == "synth":
        return ["synth", str(folder), "--quant", "F32", "--quiet"]
    more = ["Q4_0", "--threads", "1"] if writer == "quantize" else []
    return [writer, str(pair[0]), str(folder / "out.gguf"), *more, "--quiet"]


def run(code: str, *words: str) -> subprocess.Popen[str]:
    """Start a process whose coverage is not measured: it could not write that down where files are limited."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command, pipe = [sys.executable, "-c", code, *words], subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=unmeasured)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_killed_writer_leaves_no_half_file_and_the_next_clears_up(
    writer: str, tiny_pair: Pair, tmp_path: Path
) -> None:
    words = arguments(writer, tiny_pair, tmp_path)
    process = run(STALLING, *words)
    assert process.stdout
    assert process.stdout.readline() == "in the middle\n", process.communicate()
    assert any(path.stat().st_size > 200_000 for path in tmp_path.glob(".*.part"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not list(tmp_path.glob("[!.]*"))
    done = run(COMMAND, *words)
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


def test_too_little_room_is_said_before_anything_is_quantised(
    tiny_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(yg.OutputError, match=r"GB free; got 0\.0 GB\. Free some"):
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
    aborting = tmp_path / "python"
    aborting.write_text("#!/bin/sh\necho 'GGML_ASSERT(x) failed'\nkill -ABRT $$\n")
    aborting.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(aborting))
    with pytest.raises(yg.EngineError, match=r"status -6\)\. GGML_ASSERT\(x\) failed"):
        yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", "Q4_0", threads=1)
    assert list(tmp_path.iterdir()) == [aborting]


@pytest.mark.parametrize("bad", [None, 3, "", "a\0b"])
def test_what_is_no_path_is_not_quantised(bad: object, tiny_pair: Pair, tmp_path: Path) -> None:
    for source, destination in ((bad, tmp_path / "out.gguf"), (tiny_pair[0], bad)):
        with pytest.raises(yg.InputError, match="must be a path; got"):
            yg.weights.quantize(source, destination, "Q4_0")  # type: ignore[arg-type]


@pytest.mark.parametrize(("encoding", "threads"), [(None, 1), (8, 1), ("Q4_0", 0), ("Q4_0", "two"), ("Q4_0", 9999)])
def test_what_cannot_be_quantised_with_is_refused(
    encoding: object, threads: object, tiny_pair: Pair, tmp_path: Path
) -> None:
    with pytest.raises(yg.InputError, match=r"expected an encoding among|threads must be a whole number"):
        yg.weights.quantize(tiny_pair[0], tmp_path / "out.gguf", encoding, threads=threads)  # type: ignore[arg-type]
