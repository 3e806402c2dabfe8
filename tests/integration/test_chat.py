"""Conversations in a process of their own, with the tiny random pair: lines from a pipe, and keys on a terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Pair

# Opening a terminal as the leader of a session makes it the one whose Ctrl-C reaches this process.
ON_ITS_TERMINAL = "import os; os.open(os.ttyname(0), os.O_RDWR); from youtu_gguf.cli.main import main; main()"
DEADLINE_S = 300.0


def arguments(image: Path, pair: Pair, max_tokens: int) -> list[str]:
    small = ("--threads", "1", "--n-ctx", "4096", "--max-tokens", str(max_tokens))
    return ["chat", str(image), "--model", str(pair[0]), *small]


def test_piped_lines_are_answered_and_the_code_shows_failures(photographs: dict[str, Path], tiny_pair: Pair) -> None:
    command = [sys.executable, "-m", "youtu_gguf", *arguments(photographs["cat"], tiny_pair, 8)]
    given = f"/depth\n/frobnicate\n/open {photographs['astronaut']}\n/segment cat sky --present all\nWhat is it?"
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    printed = done.stdout.splitlines()
    assert printed[0].endswith("(relative)")
    assert [line[8:] for line in printed[1:3]] == ["cat", "sky"]
    assert "there is no /frobnicate" in done.stderr
    assert "astronaut.png, 512x512 pixels" in done.stderr
    assert "> " not in done.stdout + done.stderr


def test_a_missing_image_is_reported_before_the_model_is_read(tiny_pair: Pair) -> None:
    command = [sys.executable, "-m", "youtu_gguf", *arguments(Path("nowhere.png"), tiny_pair, 8)]
    done = subprocess.run(command, input="/depth", capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.png does not exist" in done.stderr


class Terminal:
    """The test's end of a pseudo-terminal."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._unread = b""

    def type(self, keys: str) -> None:
        os.write(self._handle, keys.encode())

    def wait_for(self, text: str) -> None:
        """Read up to and including `text`."""
        deadline = time.monotonic() + DEADLINE_S
        while text.encode() not in self._unread:
            readable, _, _ = select.select([self._handle], [], [], deadline - time.monotonic())
            assert readable, f"expected {text!r}; got {self._unread!r}"
            self._unread += os.read(self._handle, 4096)
        self._unread = self._unread.partition(text.encode())[2]


def test_keys_on_a_terminal(photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are a Unix matter")
    ours, theirs = pty.openpty()
    terminal = Terminal(ours)
    command = [sys.executable, "-c", ON_ITS_TERMINAL, *arguments(photographs["cat"], tiny_pair, 3000)]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        terminal.wait_for("Each question stands alone")
        terminal.wait_for("> ")
        terminal.type("What is it?\n")
        terminal.wait_for("><")  # two tokens of the answer
        terminal.type("\x03")
        terminal.wait_for("interrupted\r\n> ")
        terminal.type(f"/save {tmp_path}/part.txt\n")
        terminal.wait_for("wrote ")
        terminal.wait_for("> ")
        terminal.type("/depth\n")
        terminal.wait_for("(relative)\r\n> ")
        terminal.type("\x04")
        assert child.wait(DEADLINE_S) == 0
        assert "><" in (tmp_path / "part.txt").read_text(encoding="utf-8")
    finally:
        child.kill()
        child.wait()
        os.close(ours)
