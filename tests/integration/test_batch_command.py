"""The command `batch` from the outside: how it ends, what it says, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw

N_IMAGES = 8
SECONDS = 60.0


@pytest.fixture(autouse=True)
def hang_up_ends() -> Iterator[None]:
    """Let SIGHUP end the programs that are started, also where the tests run under `nohup`, which has it ignored."""
    if os.name == "nt":
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(N_IMAGES):
        Image.fromarray(draw(TEST_SEEDS + n).rgb).save(folder / f"{n}.png")
    return folder


def start(images: Path, *more: str) -> subprocess.Popen[str]:
    words = ["batch", str(images), "-t", "describe", "-o", str(images.parent / "out"), "-m", "nano"]
    command = [sys.executable, "-m", "youtu_gguf", *words, "--threads", "1", "--max-tokens", "16", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def n_lines(images: Path) -> int:
    file = images.parent / "out" / "results.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("number", "code", "least"), [("SIGINT", 130, 0), ("SIGINT", 130, 1), ("SIGTERM", 143, 1), ("SIGHUP", 129, 0)]
)
def test_an_interrupted_batch_leaves_no_process_and_is_resumed(
    images: Path, number: str, code: int, least: int
) -> None:
    batch = start(images)
    deadline = time.monotonic() + SECONDS
    while not (workers := psutil.Process(batch.pid).children()) or n_lines(images) < least:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    batch.send_signal(getattr(signal, number))
    error = batch.communicate(timeout=SECONDS)[1]
    assert (batch.returncode, "Traceback" in error) == (code, False)
    assert psutil.wait_procs(workers, SECONDS)[1] == []
    assert not (images.parent / "out" / "begun.json").exists()
    out = start(images).communicate(timeout=SECONDS)[0]
    assert f"{N_IMAGES} of {N_IMAGES} images finished" in out
    assert n_lines(images) == N_IMAGES


def test_images_with_errors_are_named_at_the_end(images: Path) -> None:
    for n in range(N_IMAGES - 1):
        (images / f"{n}.png").write_bytes(b"no image")
    batch = start(images, "-q")
    out, error = batch.communicate(timeout=SECONDS)
    assert batch.returncode == 1
    assert f"{N_IMAGES - 1} with errors" in out
    named = ", ".join(str(images / f"{n}.png") for n in range(5))
    assert f"With errors: {named} and 2 more." in error


def test_a_folder_of_other_weights_is_refused(images: Path, tmp_path: Path) -> None:
    start(images).communicate(timeout=SECONDS)
    settings = json.loads((tmp_path / "out" / "settings.json").read_text("utf-8"))
    assert len(settings["model"]["fingerprint"]) == 32
    settings["model"]["fingerprint"] = "0" * 32
    (tmp_path / "out" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    batch = start(images)
    assert "results made with other settings (model.fingerprint: " in batch.communicate(timeout=SECONDS)[1]
    assert batch.returncode == 2
