"""docs/tasks.md, run: every command, chat line and line of Python in it, with nano on the image that it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import youtu_gguf as yg
from youtu_gguf.cli.main import app
from youtu_gguf.prompts import ENGLISH, WORDINGS, Wording
from youtu_gguf.tasks import TASKS

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "tasks.md"
TEXT = GUIDE.read_text(encoding="utf-8")

NOT_QUOTED = ("click", "between_names")
"""Wordings that the guide only tells about: a declaration in JSON, and a comma."""


def lines(language: str) -> list[str]:
    """Return the lines of all fenced blocks of a language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def commands() -> list[list[str]]:
    """Return the words of every command that can be run, without `youtu-gguf`."""
    typed = [line for line in lines("sh") if line.startswith("youtu-gguf ")]
    return [shlex.split(line, comments=True)[1:] for line in typed]


def chat_lines() -> str:
    """Return what the guide types in a chat."""
    _, _, section = TEXT.partition("\n### Chat and batch\n")
    found = re.search(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the guide's images, and with the model that the guide names."""
    for name in ("scene.png", "screen.png"):
        shutil.copy(ROOT / "docs" / "pictures" / "tasks" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "nano")
    return tmp_path


def test_the_guide_prepares_what_the_test_prepares() -> None:
    others = [line for line in lines("sh") if not line.startswith("youtu-gguf ")]
    assert [shlex.split(line, comments=True) for line in others] == [
        ["cp", "docs/pictures/tasks/scene.png", "scene.png"],
        ["cp", "docs/pictures/tasks/screen.png", "screen.png"],
        ["export", "YOUTU_GGUF_MODEL=nano"],
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_the_guide_runs_and_writes_its_files(words: list[str], folder: Path) -> None:
    done = CliRunner().invoke(app, [*words, "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()
    for option, name in pairwise(words):
        if option in ("-o", "--npz"):
            assert (folder / name).stat().st_size > 0


def test_the_chat_lines_of_the_guide_are_all_answered(folder: Path) -> None:
    done = CliRunner().invoke(app, ["chat", "scene.png", "--threads", "1"], input=chat_lines())
    assert done.exit_code == 0, done.output
    assert "purple" in done.stdout
    assert (folder / "depth.png").stat().st_size > 0


@pytest.mark.usefixtures("folder")
def test_the_python_of_the_guide_runs_from_the_first_line_to_the_last() -> None:
    source = "\n".join(lines("python"))
    assert source.count('yg.load("nano")') == 1
    names: dict[str, Any] = {}
    exec(source.replace('yg.load("nano")', 'yg.load("nano", threads=1)'), names)
    results = [value for value in names.values() if isinstance(value, yg.Result)]
    assert len(results) > 25
    assert all(len(names[found]) for found in ("everything", "circle", "outline", "people"))


def test_the_guide_quotes_what_is_asked_today() -> None:
    asked = {field.name: getattr(ENGLISH, field.name) for field in fields(Wording) if field.name not in NOT_QUOTED}
    pieces = [piece.strip() for wording in asked.values() for piece in wording.split("{}") if piece.strip()]
    quoted = "\n".join(lines("text"))
    assert [piece for piece in pieces if piece not in quoted] == []
    assert all(WORDINGS[lang].describe in quoted for lang in WORDINGS)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_section_with_a_command_and_a_call(task: str) -> None:
    _, _, section = TEXT.partition(f"\n### {task}\n")
    section, _, _ = section.partition("\n### ")
    assert f"youtu-gguf {task} " in section
    assert f"scene.{task}(" in section or f"screen.{task}(" in section
    assert all(word in section for word in ("**Returns** `", "**Limits:**", "**Tips:**", "**Cost:**"))


def test_images_of_the_guide_are_small_and_shown() -> None:
    pictures = list((ROOT / "docs" / "pictures" / "tasks").glob("*.png"))
    assert all(picture.stat().st_size <= 60_000 for picture in pictures)
    assert all(picture.name in TEXT for picture in pictures)
