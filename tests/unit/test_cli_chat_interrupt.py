"""Ctrl-C in a conversation: once it ends the answer, twice it ends everything under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chats import start_chat, write_image
from youtu_gguf.cli.chat import Conversation
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine, FakeSession

BOX = "<box><x_64><y_0><x_128><y_64></box>"
ANSWERS = {
    "category of the primary object": "square",
    "long": "one two three four five six",
    "several": f"{BOX} <box><x_0><y_0><x_64><y_64></box> <box><x_0><y_0><x_32><y_32></box>",
}


class InterruptingEngine(FakeEngine):
    """Presses Ctrl-C, once or several times in a row, after the second token of its first answer."""

    def __init__(self, presses: int) -> None:
        super().__init__(ANSWERS)
        self.presses = presses

    def open(self, prefix: Prefix) -> FakeSession:
        return InterruptingSession(self, prefix)


class InterruptingSession(FakeSession):
    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        assert isinstance(self._engine, InterruptingEngine)
        for n, piece in enumerate(super().generate(question, sampling, cancel)):
            yield piece
            if n == 1:
                presses, self._engine.presses = self._engine.presses, 0
                for _ in range(presses):
                    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path)


def start(image: Path, engine: FakeEngine | None = None, **options: bool) -> Conversation:
    return start_chat(image, engine or FakeEngine(ANSWERS), **options)


def test_ctrl_c_ends_only_the_answer_and_its_words_are_kept(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    engine = InterruptingEngine(presses=1)
    part = tmp_path / "part.txt"
    assert start(image, engine, interactive=True, quiet=True).run(["long", f"/save {part}", "/classify"]) == 0
    assert capsys.readouterr() == ("one two \nsquare\n", "interrupted\n")
    assert part.read_text() == "one two\n"
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_while_things_are_found_keeps_those_found(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image, InterruptingEngine(presses=1), interactive=True).run(["/ground several"])
    said, remarked = capsys.readouterr()
    assert said.count("several") == 2
    assert "cancelled before its end" in remarked


@pytest.mark.parametrize("line", ["long", "/ground several"])
def test_ctrl_c_twice_interrupts_and_the_conversation_continues(
    line: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = InterruptingEngine(presses=2)
    assert start(image, engine, interactive=True, quiet=True).run([line, "/classify"]) == 0
    said, complained = capsys.readouterr()
    assert said.endswith("square\n")
    assert complained == "interrupted\n"


def test_ctrl_c_ends_the_command_if_no_one_types(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            start(image, InterruptingEngine(presses=1)).run(["long", "/classify"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().out == "one two \n"
