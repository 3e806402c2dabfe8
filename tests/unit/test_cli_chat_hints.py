"""What a conversation answers to lines that look like something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chats import start_chat, write_image
from youtu_gguf.cli.chat import Conversation
from youtu_gguf.testing import FakeEngine


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path)


def start(image: Path, engine: FakeEngine | None = None, **options: bool) -> Conversation:
    return start_chat(image, engine or FakeEngine({}), **options)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("/exit", "there is no /exit. Did you mean /quit?"),
        ("/detcet cup", "there is no /detcet. Did you mean /detect?"),
        ("/?", "Did you mean /help?"),
        ("/" + "x" * 5000, "/help lists"),
    ],
)
def test_an_unknown_command_is_answered_with_a_near_one(
    line: str, remedy: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(image).run([line]) == 2
    assert remedy in capsys.readouterr().err


def test_a_path_at_the_prompt_is_answered_with_the_command_that_opens_it(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(image).run([str(image)])
    assert f"type /open {image}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("detect cup", "hint: this is asked as a question; /detect cup runs the task\n"),
        ("detect red cup, dog", "hint: this is asked as a question; /detect red cup dog runs the task\n"),
        ("describe the cup", ""),
        ("What is it?", ""),
        ("What's this?", ""),
    ],
)
def test_a_question_that_looks_like_a_command_gets_a_hint_at_a_terminal(
    line: str, hint: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine({})
    start(image, engine, interactive=True).run([line])
    hints = "".join(f"{remark}\n" for remark in capsys.readouterr().err.splitlines() if remark.startswith("hint: "))
    assert (hints, engine.questions) == (hint, [line])
    start(image).run([line])
    assert "hint: " not in capsys.readouterr().err


@pytest.mark.parametrize(("line", "command"), [("quit", "/quit"), ("Exit", "/quit"), ("?", "/help"), ("open", "/open")])
def test_the_bare_name_of_a_command_is_not_asked_at_a_terminal(
    line: str, command: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = FakeEngine({})
    start(image, engine, interactive=True).run([line])
    assert f"got '{line}'. Type {command}, or /ask {line} to ask it." in capsys.readouterr().err
    assert engine.questions == []
    assert start(image, engine).run([line]) == 0
    assert engine.questions == [line]


def test_help_about_a_command_or_a_task_is_short(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image).run(["/help open", "/help /detect"])
    opening, _, detecting = capsys.readouterr().out.partition("\n")
    assert opening.split(maxsplit=2)[:2] == ["/open", "IMAGE"]
    assert detecting.startswith("Usage: /detect [OPTIONS] [CLASS]...\n")
