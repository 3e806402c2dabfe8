"""The help of the commands: complete, grouped, and quick."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from youtu_gguf.cli.main import app
from youtu_gguf.tasks import TASKS

COMMANDS = (
    *TASKS, "chat", "batch", "collect", "serve", "eval", "pull", "list", "path", "rm", "inspect", "slim", "quantize",
    "synth", "doctor", "plan", "calibrate", "server",
)  # fmt: skip
GROUPED = ("server start", "server status", "server stop", "server logs", "eval list", "eval score", "eval table")
HEAVY = ("llama_cpp", "cv2", "PIL", "gguf", "huggingface_hub", "requests", "psutil", "rich")


def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_command_stands_in_a_group_of_the_help() -> None:
    text = help_of()
    groups = ["Options:", "Tasks:", "Many questions, many images:", "Models:", "Model files:", "This machine:"]
    assert [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")] == groups
    assert [line.split()[0] for line in text.partition("Tasks:")[2].splitlines() if line.startswith("  ")] == [
        *COMMANDS
    ]
    assert "..." not in text.partition("Tasks:")[2]  # no summary is cut off


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPED])
def test_the_help_of_a_command_fits_a_terminal_and_names_no_python_types(command: str) -> None:
    text = help_of(*command.split())
    assert max(map(len, text.splitlines())) <= 80
    assert not any(sign in text for sign in ("<str>", "<int>", "<path>", "list[", "{", "None"))


def test_options_of_a_task_come_before_those_of_the_answer_and_the_model() -> None:
    text = help_of("detect")
    places = [
        text.index(words)
        for words in ("Arguments:", "--zoom", "Answer options:", "--seed", "Model options:", "--engine")
    ]
    assert places == sorted(places)
    assert "[OPTIONS] IMAGE [CLASS]..." in text


def test_help_imports_nothing_that_takes_long() -> None:
    script = (
        "import sys; from youtu_gguf.cli.main import app; app(['--help'], standalone_mode=False);"
        f"print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stderr, "Usage:" in done.stdout) == ("\n", True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threads", "many"], "Invalid value for '--threads': expected a whole number; got 'many'."),
        (["--max-seconds", "soon"], "Invalid value for '--max-seconds': expected a number; got 'soon'."),
        (["--lang", "fr"], "Invalid value for '--lang': 'fr' is not one of 'en', 'zh'."),
        (["--zom", "2"], "No such option: --zom"),
    ],
)
def test_an_invalid_option_is_refused_in_plain_words(words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["detect", "image.png", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
