"""What a person at a terminal sees, and output in narrow encodings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from rich.progress import TextColumn

from youtu_gguf.cli.common import TaskOptions
from youtu_gguf.cli.progress import Display, on_stderr
from youtu_gguf.cli.tasks import task_command

STREAM = """
import youtu_gguf as yg, numpy as np
from youtu_gguf.cli.progress import shown
from youtu_gguf.cli.results import warnings
from youtu_gguf.cli.tasks import ask
from youtu_gguf.testing import FakeEngine
scene = yg.load(engine=FakeEngine({"Why?": "a [/b] cup of tea"}), max_tokens=3).open(np.zeros((32, 32, 3), np.uint8))
with shown(True) as display:
    display.report("load", 0, 100)
    display.report("prefill", 3, 9)
    result = ask(scene, yg.Question("ask", ("Why?",)), display, stream=True)
    display.report("generate", 3, 0)
print(*warnings(result, rest=""))
"""


def on_a_terminal(script: str) -> str:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are a Unix matter")
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", script], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while chunk := terminal.read(4096):
                seen += chunk
        except OSError:  # Linux reports so that the other end is closed
            pass
    assert child.wait(60) == 0, seen
    return seen.decode()


def test_streamed_answer_is_one_line_and_progress_is_gone_before_it() -> None:
    seen = on_a_terminal(STREAM)
    assert "reading the image" in seen
    assert "a [/b] cup \r\nwarning: " in seen
    assert "cut off at the token limit; raise --max-tokens or --n-ctx for the rest" in seen


def test_display_draws_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(None)
    display.report("load", 0, 100)
    display.clear()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [("nowhere.png", TaskOptions(), "does not exist"), (__file__, TaskOptions(npz=Path("x.npz")), "gives text")],
)
def test_mistakes_are_reported_before_a_model_is_loaded_even_when_streaming(
    image: str, options: TaskOptions, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    given = {name: getattr(options, name) for name in options.__dataclass_fields__}
    with pytest.raises(typer.Exit) as ended:
        task_command("ask")(image=image, question=["what"], **given)
    assert ended.value.exit_code == 2
    assert message in capsys.readouterr().err


def test_stdout_of_a_narrow_encoding_does_not_end_the_command() -> None:
    script = "from youtu_gguf.cli import main as m; m.app = lambda: print('杯 \\udce9'); m.main()"
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "杯 \\udce9"), done.stderr


def test_a_stage_of_many_rounds_is_shown_before_the_stages_inside_it() -> None:
    progress = on_stderr(TextColumn("{task.description}"))
    display = Display(progress)
    seen = []
    for stage, done, total in (
        ("generate", 3, 9), ("instances", 0, 2), ("encode", 0, 4), ("instances", 1, 2), ("encode", 0, 4),
        ("instances", 2, 2), ("encode", 0, 4),
    ):  # fmt: skip
        display.report(stage, done, total)
        seen.append(progress.tasks[0].description)
    assert seen == [
        "answering", "masking objects", "object 1 of 2: encoding the image", "masking objects",
        "object 2 of 2: encoding the image", "masking objects", "encoding the image",
    ]  # fmt: skip
