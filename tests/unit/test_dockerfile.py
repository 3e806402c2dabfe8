"""The Dockerfile, as far as it can be read: nothing here builds an image."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("cpu", "cuda")


def instructions() -> dict[str, list[str]]:
    """Return the instructions of each stage, joined to one line each."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    stages: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, joined.splitlines())):
        if line.startswith("FROM "):
            own = stages[line.split()[-1]] = []
        else:
            own.append(line)
    return stages


def only(stage: str, keyword: str) -> str:
    (found,) = [line.removeprefix(f"{keyword} ") for line in instructions()[stage] if line.startswith(f"{keyword} ")]
    return found


def test_what_is_built_by_default_is_the_one_for_processors() -> None:
    assert [*instructions()][-1] == "cpu"
    assert set(TARGETS) < set(instructions())


@pytest.mark.parametrize("target", TARGETS)
def test_signals_reach_the_server(target: str) -> None:
    program = json.loads(only(target, "ENTRYPOINT"))  # as a list: a shell would keep signals to itself
    assert program[:2] == ["youtu-gguf", "serve"]
    assert only(target, "STOPSIGNAL") == "SIGTERM"
    assert [line for line in instructions()[target] if line.startswith("CMD")] == []


@pytest.mark.parametrize("target", TARGETS)
def test_it_runs_without_rights_and_needs_a_key_or_consent(target: str) -> None:
    user, group = only(target, "USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    program = json.loads(only(target, "ENTRYPOINT"))
    assert program[program.index("--host") + 1] == "0.0.0.0"
    assert "--insecure" not in program


@pytest.mark.parametrize("target", TARGETS)
def test_its_health_is_whether_it_can_answer(target: str) -> None:
    options, _, words = only(target, "HEALTHCHECK").partition(" CMD ")
    check = json.loads(words)[-1]
    compile(check, "HEALTHCHECK", "exec")
    program = json.loads(only(target, "ENTRYPOINT"))
    port = program[program.index("--port") + 1]
    assert f"http://127.0.0.1:{port}/readyz" in check
    assert only(target, "EXPOSE") == port
    assert "--start-period=" in options


@pytest.mark.parametrize("stage", ["build-cpu", "build-cuda"])
def test_what_is_copied_exists_and_is_not_ignored(stage: str) -> None:
    kept = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    copied = [line.split()[1:-1] for line in instructions()[stage] if line.startswith("COPY ")]
    for path in (path for paths in copied for path in paths):
        assert (ROOT / path).exists()
        assert any(fnmatch.fnmatch(path, pattern) for pattern in kept)
