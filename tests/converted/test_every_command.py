"""Every command of the command line, on files as the converter writes them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
import typer
from typer.testing import CliRunner

import youtu_gguf as yg
from scripts.layouts.export import export
from tests.conftest import Pair
from tests.loopback_hub import REPOSITORY
from tests.serve.processes import served
from youtu_gguf.cli.main import app
from youtu_gguf.engines.llama_server.binary import find_llama_server
from youtu_gguf.errors import YoutuError
from youtu_gguf.evaluate import BENCHMARKS
from youtu_gguf.tasks import TASKS

SPEC = f"{REPOSITORY}:Q8_0"
LOAD = "-m {model} --n-ctx 2048 --threads 1 --image-max-tokens 40"
ASK = f"{LOAD} --max-tokens 8 --temperature 0 --json"
WORDS = {
    "ask": "What?",
    "reason": "Why?",
    "count": "cat",
    "ground": "cat",
    "detect": "cat sky",
    "polygon": "cat",
    "refer": "--box 10 10 90 90 --crop-size 128",
    "instances": "cat sky --limit 2 --crop-size 128",
    "segment": "cat sky --present all",
    "click": "wake it",
}
"""What the tasks are asked about; the others need no words."""

ON_FILES = {
    **{task: f"{task} {{image}} {WORDS.get(task, '')} {ASK}" for task in TASKS},
    "chat": f"chat {{image}} -q --max-tokens 8 {LOAD}",
    "batch": f"batch {{image}} -t depth -t detect -o {{folder}}/results --format coco,npz -q --max-tokens 8 {LOAD}",
    "inspect": "inspect {model} {mmproj}",
    "slim": "slim {model} {folder}/slim.gguf -q",
    "quantize": "quantize {model} {folder}/f16.gguf F16 --threads 1 -q",
    "synth": "synth {folder}/made --variant experts -q",
    "doctor": "doctor -m {model}",
    "plan": "plan -m {model} --n-ctx 2048",
    "calibrate": "calibrate -m {model} --threads 1 --dry-run -q",
}
PULLED = {
    "pull": f"pull {SPEC} -q",
    "list": "list",
    "path": f"path {SPEC}",
    "rm": f"rm {SPEC} --yes",
}
SERVED = {
    "server start": f"server start --max-tokens 8 -q {LOAD} --slots 1",
    "server status": "server status",
    "server logs": "server logs -n 5",
    "server stop": "server stop",
}
EVALUATED = {
    "eval list": "eval list nyuv2",
    "eval nyuv2": "eval nyuv2 {folder}/nyuv2 -o {folder}/results --preset fast --limit 1 -q "
    "-m {model} --n-ctx 2048 --threads 1 --image-max-tokens 40",
    "eval score": "eval score nyuv2 {folder}/nyuv2 {folder}/results",
    "eval table": "eval table {folder}/results",
}
CLUSTERED = {"collect": "collect {folder}/results -o {folder}/collected"}
EXPECTED = {
    "eval list": "the authors': test 90.4",
    "eval nyuv2": "NYUv2 depth, test (samples: 1 of 2, images: 1, failed: 0, model: ",
    "eval score": "NYUv2 depth, test (samples: 1 of 2, images: 1, failed: 0, model: ",
    "eval table": "NYUv2 depth, test (samples: 1 of 2, images: 1, failed: 0, model: ",
    "chat": "\n",
    "slim": "64 entries dropped, from 395 to 458",
    "inspect": "usable        yes with",
    "plan": "GB",
    "list": "Youtu-VL-4B-Instruct",
    "server status": "ready, in the background",
}
"""What a command says of these files, besides ending without an error."""


def commands(group: click.Command, prefix: str = "") -> Iterator[str]:
    for name, inner in getattr(group, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from commands(inner, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def words(line: str, places: SimpleNamespace | None) -> list[str]:
    return [word.format(**vars(places or SimpleNamespace())) for word in line.split()]


def run(line: str, places: SimpleNamespace | None = None) -> str:
    """Run a command within this process, which takes a fraction of a second."""
    done = CliRunner().invoke(app, words(line, places), input="what is it?\n/depth\n")
    assert done.exit_code == 0, done.output
    return done.stdout


def run_apart(line: str, places: SimpleNamespace) -> str:
    """Run a command in a process of its own, as what outlives it requires."""
    command = [sys.executable, "-m", "youtu_gguf", *words(line, places)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def places(pair: Pair, photographs: dict[str, Path], tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(model=pair[0], mmproj=pair[1], image=photographs["cat"], folder=tmp_path)


def test_no_command_is_forgotten() -> None:
    tried = {*ON_FILES, *PULLED, *SERVED, *EVALUATED, *CLUSTERED, "serve"} - {f"eval {name}" for name in BENCHMARKS}
    assert tried == set(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", ON_FILES)
def test_command_on_files(name: str, places: SimpleNamespace) -> None:
    assert EXPECTED.get(name, "") in run(ON_FILES[name], places)


def test_commands_on_a_cluster(places: SimpleNamespace) -> None:
    options = f"--cluster local --actors 1 --cpus-per-actor 1 -q --max-tokens 8 {LOAD}"
    run_apart(f"batch {{image}} -t depth -t detect -o {{folder}}/results {options}", places)
    for name, line in CLUSTERED.items():
        assert "results.jsonl" in run(line, places), name
    (line,) = (places.folder / "collected/results.jsonl").read_text(encoding="utf-8").splitlines()
    assert '"error"' not in line


@pytest.mark.usefixtures("hub")
def test_commands_on_pulled_files(pair: Pair) -> None:
    for name, line in PULLED.items():
        assert EXPECTED.get(name, "") in run(line)
        if name == "pull":
            assert yg.weights.find(SPEC)[0].read_bytes() == pair[0].read_bytes()


def test_commands_of_evaluations(places: SimpleNamespace) -> None:
    export("nyuv2", places.folder / "nyuv2", 2)
    for name, line in EVALUATED.items():
        assert EXPECTED[name] in run(line, places)


def test_commands_on_servers(places: SimpleNamespace, request: pytest.FixtureRequest) -> None:
    try:
        find_llama_server()
    except YoutuError:
        pytest.skip("no llama-server is installed")
    request.addfinalizer(lambda: [yg.servers.stop(server) for server in yg.servers.list_running()])  # if it fails
    for name, line in SERVED.items():
        assert EXPECTED.get(name, "") in run_apart(line, places)
    assert yg.servers.list_running() == []


def test_a_slim_file_and_a_smaller_one_answer_too(places: SimpleNamespace) -> None:
    for name, made in (("slim", "slim.gguf"), ("quantize", "f16.gguf")):
        run(ON_FILES[name], places)
        smaller = SimpleNamespace(**{**vars(places), "model": places.folder / made})
        run(ON_FILES["segment"] + " --mmproj {mmproj}", smaller)


def test_serve_answers_about_the_image(places: SimpleNamespace) -> None:
    options = LOAD.format(model=places.model).split()
    with served(*options) as server:
        server.wait_ready()
        image = base64.b64encode(Path(places.image).read_bytes()).decode()
        with server.post("/v1/tasks/depth", {"image": image}) as answer:
            assert (answer.status, json.loads(answer.read())["type"]) == (200, "DepthMap")
