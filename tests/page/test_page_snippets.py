"""The programs that the page gives for a card, run as they stand: for every task, with texts that need quoting."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from scripts._serving import Server
from tests.page.conftest import OpenTab
from youtu_gguf.tasks import TASKS

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"
FILE = 'it\'s "my" $HOME; type=猫,1 `ls` %20.png'

HOSTILE = "Is it \"red\"; type=text/html or\n'blue' \\ $HOME `ls` 猫 🙂?"

ARGUMENTS: dict[str, dict[str, Any]] = {
    "ask": {"question": HOSTILE},
    "reason": {"question": "@file <file"},
    "count": {"what": "the child's balloon", "by": "detection"},
    "ground": {"description": "the red circle; the other"},
    "detect": {"classes": ["star", "it's", "sign\u2028"]},
    "polygon": {"description": 'the "star"'},
    "refer": {"box": [120, 95.5, 180, 150], "refine": "none", "crop_size": 160},
    "instances": {"classes": ["star"], "limit": 1, "crop_size": 160},
    "segment": {"classes": ["sky", "<BG>"], "present": "all", "background": False},
    "depth": {"scale": "open", "focal_px": 500.5, "tiles": [2, 1]},
    "click": {"instruction": "wake it"},
}
OVER_HTTP = ("ask", "detect", "depth")
"""Tasks of which the program that needs Python alone is run too: the others differ in the body only."""

OPTIONS: dict[str, Any] = {"max_tokens": 6, "max_seconds": 60, "lang": "en", "stop": ["\t\x01"], "temperature": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the drawn scene under a name that needs quoting everywhere."""
    path = tmp_path_factory.mktemp("it's here")
    (path / FILE).write_bytes(SCENE.read_bytes())
    return path


@pytest.fixture
def programs(open_tab: OpenTab, server: Server) -> dict[str, dict[str, str]]:
    """Return the programs by task and kind, as the page's own functions make them."""
    asked = [
        {
            "question": {"task": task, "args": ARGUMENTS.get(task, {}), "options": OPTIONS},
            "file": FILE,
            "mediaType": "image/png",
            "model": "nano",
            "type": TASKS[task].value.__name__,
            "server": f"http://127.0.0.1:{server.port}",
            "hasKey": task in ("detect", "describe"),
        }
        for task in TASKS
    ]
    made: list[dict[str, str]] = open_tab().page.evaluate(
        """async (asked) => {
          const { curlCommand, pythonCall, pythonRequest } = await import("/static/snippets.js");
          return asked.map((one) => ({ curl: curlCommand(one), python: pythonCall(one), http: pythonRequest(one) }));
        }""",
        asked,
    )
    return dict(zip(TASKS, made, strict=True))


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Let the programs' engines take one thread: two on busy processors take seven times as long."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield
    os.sched_setaffinity(0, before)


def run(command: list[str], folder: Path) -> str:
    """Return what a command prints."""
    environment = {"PATH": os.environ["PATH"], "YOUTU_GGUF_API_KEY": "the server needs none"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def without_numbers(text: str) -> str:
    """Return an answer without its coordinates, in which a server with another number of threads rounds otherwise."""
    return re.sub("[0-9]+", "0", text)


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl"))), reason="bash and curl are needed")
@pytest.mark.skipif(sys.platform != "linux", reason="processes are bound to processors on Linux alone")
@pytest.mark.usefixtures("one_processor")
def test_every_program_runs_as_it_stands_and_gives_the_same(
    programs: dict[str, dict[str, str]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    for task, program in programs.items():
        form = json.loads(run(["bash", "-euc", program["curl"]], folder))
        capsys.readouterr()
        names: dict[str, Any] = {}
        exec(compile(program["python"], f"<{task}>", "exec"), names)
        (value,) = (found for found in names.values() if isinstance(found, yg.Result))
        assert capsys.readouterr().out == f"{value}\n"
        assert (form["task"], form["type"]) == (task, type(value).__name__)
        assert without_numbers(form["raw"]) == without_numbers(value.raw)
        if task in OVER_HTTP:
            assert ast.literal_eval(run([sys.executable, "-c", program["http"]], folder))["raw"] == form["raw"]


def test_the_model_is_named_as_it_can_be_loaded_anywhere(open_tab: OpenTab) -> None:
    names = [
        ["Youtu-VL-nano-Q8_0.gguf", "mmproj-Youtu-VL-nano-Q8_0.gguf"],
        ["Youtu-VL-4B-Instruct-Q8_0.gguf"],
        ["my own.gguf"],
        [],
    ]
    found = open_tab().page.evaluate(
        """async (names) => {
          const { modelOf } = await import("/static/snippets.js");
          const info = (files) => ({ model: { files: Object.fromEntries(files.map((name) => [name, 1])) } });
          return names.map((files) => modelOf(info(files)));
        }""",
        names,
    )
    assert found == ["nano", "tencent/Youtu-VL-4B-Instruct-GGUF", "my own.gguf", "nano"]
