"""Lines of a conversation as they come in: from a pipe, or typed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from tests.chats import start_chat, write_image
from youtu_gguf.cli.chat import stdin_lines
from youtu_gguf.testing import FakeEngine

ANSWERS = {"What is it?": "A small red square.", "category of the primary object": "square"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path)


def test_piped_lines_are_utf_8_and_other_bytes_spoil_their_line_only(
    image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "\ufeffWhat is it?\r\n/ground 杯子\n".encode() + b"caf\xe9?\n/classify"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given), encoding="ascii"))
    engine = FakeEngine(ANSWERS)
    assert start_chat(image, engine).run(stdin_lines(interactive=False)) == 2
    assert engine.questions[0] == "What is it?"
    assert engine.questions[1].endswith("杯子")
    printed, errors = capsys.readouterr()
    assert printed == "A small red square.\nnothing found\nsquare\n"
    assert "valid Unicode" in errors


def test_typed_lines_end_with_the_input_and_the_prompt_stays_out_of_the_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    assert list(stdin_lines(interactive=True)) == ["one", "two"]
    assert capsys.readouterr() == ("", f"> > > {os.linesep}")


def test_ctrl_c_at_the_prompt_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(prompt: str = "") -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", pressed)
    assert list(stdin_lines(interactive=True)) == []
