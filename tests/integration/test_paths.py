"""Paths as other machines have them, through the command line: "~", bytes that are not UTF-8, line breaks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import youtu_gguf as yg
from youtu_gguf.cli.main import app
from youtu_gguf.gguf.pair import find_projector
from youtu_gguf.hub.local import find_nano

ODD = os.fsdecode(b"m\xe9d\nle")
"""Latin-1 for a letter with an accent, and a line break."""
MODEL, PROJECTOR = find_nano().name, find_projector(find_nano()).name
FAST = ("--threads", "1", "--n-ctx", "512")


def run(code: int, *arguments: str) -> bytes:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == code, outcome.output
    return outcome.stdout_bytes


def run_process(code: int, *arguments: str, **variables: str) -> bytes:
    """Run the command in a process of its own, which sets up its own streams."""
    command = [sys.executable, "-m", "youtu_gguf", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **variables})
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home folder that holds nano and an image."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    (tmp_path / "pair").mkdir()
    for file in (MODEL, PROJECTOR):
        shutil.copy(find_nano().parent / file, tmp_path / "pair")
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(tmp_path / "image.png")
    return tmp_path


def test_the_tilde_is_resolved_wherever_a_path_is_given(home: Path) -> None:
    run(0, "describe", "~/image.png", "--model=~/pair", "--output=~/answer.txt", *FAST)
    run(0, "detect", "~/image.png", "cat", "-m", "~/pair", "--npz=~/out.npz", "--cache-dir=~/cache", *FAST)
    run(0, "classify", "~/image.png", "-m", "nano", "--mmproj", f"~/pair/{PROJECTOR}", *FAST)
    run(0, "plan", "-m", "~/pair")
    run(0, "path", "~/pair")
    run(0, "inspect", f"~/pair/{MODEL}", f"~/pair/{PROJECTOR}")
    run(0, "slim", f"~/pair/{MODEL}", "~/slim.gguf")
    run(0, "quantize", f"~/pair/{PROJECTOR}", "~/small.gguf", "Q8_0")
    run(0, "synth", "~/synth")
    (home / "list").write_text("~/image.png\n")
    run(0, "batch", "~/image.png", "~/*.png", "@~/list", "-t", "classify", "-o", "~/results", "-m", "~/pair", *FAST)
    written = {"answer.txt", "out.npz", "cache", "slim.gguf", "small.gguf", "synth", "results"}
    assert written <= {path.name for path in home.iterdir()}
    (line,) = (home / "results" / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["image"] == str(home / "image.png")


def test_a_choice_among_files_is_said_unless_quiet_is_asked_for(home: Path) -> None:
    shutil.copy(home / "pair" / MODEL, home / "pair" / MODEL.replace("Q8_0", "F16"))
    for quiet, count in (((), 1), (("-q",), 0)):
        command = [sys.executable, "-m", "youtu_gguf", "classify", "~/image.png", "-m", "~/pair", *FAST, *quiet]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stderr.count(b"several language models lie in") == count


def test_the_tilde_is_resolved_in_python(home: Path) -> None:
    with yg.load("~/pair", threads=1, n_ctx=512) as model, model.open("~/image.png") as scene:
        scene.save(scene.detect(["cat"]), "~/boxes.json")
    assert json.loads((home / "boxes.json").read_text())["image"] == str(home / "image.png")


def test_names_that_are_not_utf_8_work_and_are_printed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / ODD
    (home / "pair").rename(folder)
    (home / "image.png").rename(folder / f"{ODD}.png")
    monkeypatch.chdir(folder)
    model, image = str(folder), f"{ODD}.png"
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    for variables in ({}, ascii_only):
        shown = run_process(0, "inspect", f"{model}/{MODEL}", "--json", **variables)
        assert json.loads(shown)["path"] == f"{model}/{MODEL}"
    assert b"m\\udce9d\nle.png does not exist" in run_process(2, "classify", f"no{image}", "-m", model)
    assert json.loads(run(0, "classify", image, "-m", model, "--json", *FAST))
    assert run(0, "path", model) == os.fsencode(f"{model}/{MODEL}\n{model}/{PROJECTOR}\n")
    yg.weights.quantize(f"{model}/{PROJECTOR}", f"{ODD}.gguf", "Q8_0", threads=1)
    run(0, "batch", image, "-t", "classify", "-o", f"results-{ODD}", "-m", model, *FAST)
    assert json.loads(Path(f"results-{ODD}", "results.jsonl").read_bytes())
