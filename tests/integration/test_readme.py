"""README.md, run: its Python and the commands that ask something of an image, with nano, which knows no streets."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from youtu_gguf.cli.main import app
from youtu_gguf.tasks import TASKS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SCENE = Path("docs") / "pictures" / "tasks" / "scene.png"

MOST_TOKENS = 400
"""Of an image: enough for the scene at twice its size, and a quarter of what the crops of `refer` would take."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Return the words, without `youtu-gguf`, of the commands that need no server and no download."""
    typed = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    return [
        words[1:]
        for words in typed
        if words[:1] == ["youtu-gguf"] and words[1] in (*TASKS, "batch") and "--engine" not in words
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the drawn scene under the names that the README uses."""
    scene = Image.open(ROOT / SCENE).convert("RGB")
    for name in (SCENE, Path("street.jpg"), Path("photos") / "one.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        scene.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "nano")
    return tmp_path


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_readme_runs_and_writes_its_files(words: list[str], folder: Path) -> None:
    done = CliRunner().invoke(app, [*words, "--threads", "1", "--image-max-tokens", str(MOST_TOKENS)])
    assert done.exit_code == 0, done.output
    for option, name in pairwise(words):
        if option in ("-o", "--npz"):
            assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize("source", blocks("python"), ids=["the first screen", "the tour"])
def test_python_of_the_readme_runs(source: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = f"threads=1, image_max_tokens={MOST_TOKENS})"
    exec(source.replace("yg.load()", f"yg.load({small}").replace('yg.load("nano")', f'yg.load("nano", {small}'), {})
    expected = re.search(r"^ *print\(\w+\)  # (.*)$", source, re.MULTILINE)
    if expected:
        assert capsys.readouterr().out.strip() == expected[1]
    for name in re.findall(r'save\(.*?"(\w+\.\w+)"\)', source):
        assert (folder / name).stat().st_size > 0
