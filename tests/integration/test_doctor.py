"""What `doctor` says where everything works, and where one thing does not."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

import youtu_gguf as yg
from tests.conftest import Pair
from tests.edited import write_edited
from tests.loopback_hub import sha256_of
from youtu_gguf import doctor as diagnosis
from youtu_gguf.cli.main import app
from youtu_gguf.engines.native.llama.placement import Device
from youtu_gguf.errors import EngineError
from youtu_gguf.machine import UsableMemory


@pytest.fixture(autouse=True)
def nothing_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


def broken(outcome: Result, code: int) -> str:
    assert outcome.exit_code == code, outcome.output
    (line,) = [line for line in outcome.stdout.splitlines() if line.startswith("BROKEN")]
    assert "  -> " in outcome.stdout[outcome.stdout.index(line) :].splitlines()[1]
    return line


def test_a_machine_where_everything_works(tiny_pair: Pair) -> None:
    outcome = run("--model", tiny_pair[0])
    assert outcome.exit_code == 0
    for part in (
        "libllama",
        "read by the tap",
        "CPU",
        "hidden states agree",
        str(tiny_pair[1]),
        "coordinates and depth",
        "-> youtu-gguf calibrate",
    ):
        assert part in outcome.stdout


def test_a_model_that_was_never_pulled_is_no_fault() -> None:
    outcome = run("--json")
    assert outcome.exit_code == 0
    (check,) = [check for check in json.loads(outcome.stdout) if check["name"] == "model files"]
    assert (check["state"], check["remedy"]) == ("note", "youtu-gguf pull, or name your files with --model")


def test_a_model_that_was_named_and_is_not_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "does not exist" in broken(run("--model", "no/such.gguf"), 3)
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "no/such/folder")
    assert "does not exist" in broken(run(), 3)


def test_a_truncated_file(tiny_pair: Pair, tmp_path: Path) -> None:
    model, projector = (Path(shutil.copy(path, tmp_path)) for path in tiny_pair)
    model.write_bytes(model.read_bytes()[:-1000])
    assert "truncated. Download it again" in broken(run("--model", model), 3)
    shutil.copy(tiny_pair[0], tmp_path)
    projector.write_bytes(projector.read_bytes()[:-1000])
    assert "truncated. Download it again" in broken(run("--model", model), 3)


def test_a_projector_of_another_family(tiny_pair: Pair, tmp_path: Path) -> None:
    other = write_edited(
        tmp_path / "mmproj-other.gguf", "projector",
        lambda metadata, _specs: setattr(metadata["clip.projector_type"], "value", "qwen2vl_merger"),
    )  # fmt: skip
    assert "qwen2vl_merger" in broken(run("--model", tiny_pair[0], "--mmproj", other), 3)


def test_a_model_without_the_tokens(tiny_pair: Pair, tmp_path: Path) -> None:
    def rename(metadata: dict, _specs: list) -> None:
        tokens = metadata["tokenizer.ggml.tokens"].value
        for i, text in enumerate(tokens):
            if text in (b"<x_5>", "<x_5>", b"<custom_7>", "<custom_7>"):
                tokens[i] = f"renamed {i}"

    model = write_edited(tmp_path / "model.gguf", "model", rename)
    line = broken(run("--model", model, "--mmproj", tiny_pair[1]), 3)
    assert "lacks the coordinates <x_0>" in line
    assert "1 of the 1,000 depth bins" in line
    assert "lacks" in CliRunner().invoke(app, ["inspect", str(model)]).stdout


def test_a_pulled_file_that_has_changed_is_found_out_on_request(tiny_pair: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "models--tencent--Youtu-VL-4B-Instruct-GGUF"
    (folder / "blobs").mkdir(parents=True)
    (folder / "snapshots" / "abc").mkdir(parents=True)
    for path in tiny_pair:
        blob = folder / "blobs" / sha256_of(path.read_bytes())
        shutil.copy(path, blob)
        (folder / "snapshots" / "abc" / path.name).symlink_to(blob)
    model = folder / "snapshots" / "abc" / tiny_pair[0].name
    assert "hash verified when it was pulled" in run("--model", model).stdout
    assert run("--model", model, "--hashes").stdout.count("hash verified\n") == 2
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.resolve().write_bytes(data)
    assert run("--model", model).exit_code == 0
    assert "does not have the hash" in broken(run("--model", model, "--hashes"), 3)


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pillow":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert "pillow" in broken(run(), 4)


def test_a_library_that_cannot_be_loaded_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise RuntimeError('libgomp.so.1: cannot open')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "youtu_gguf", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
    assert "libgomp.so.1: cannot open" in line
    assert "-> pip install --force-reinstall" in done.stdout


def stand_in(folder: Path, code: str) -> None:
    """Write a module that Python imports instead of llama-cpp-python, where `folder` is first on its path."""
    (folder / "llama_cpp").mkdir()
    (folder / "llama_cpp" / "__init__.py").write_text(f"import os, signal, sys, time\n{code}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals end no process on Windows")
@pytest.mark.parametrize(
    ("code", "found", "remedy"),
    [
        ("os.kill(os.getpid(), signal.SIGILL)", "ended by SIGILL", "built for another processor"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV", "pip install --force-reinstall"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL", "memory"),
        ("print('GGML_ASSERT(ok) failed', file=sys.stderr); os.abort()", "SIGABRT: GGML_ASSERT(ok) failed", "pip"),
        ("os._exit(7)", "ended by exit code 7", "pip install --force-reinstall"),
        ("time.sleep(600)", "took more than 2 s", "driver"),
    ],
)
def test_a_library_that_ends_its_process_is_a_finding_and_the_other_checks_go_on(
    code: str, found: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(diagnosis, "PROBE_S", 2.0 if "sleep" in code else 120.0)
    checks = {check.name: check for check in yg.doctor.diagnose()}
    assert checks["llama.cpp"].state == "broken"
    assert found in checks["llama.cpp"].found
    assert remedy in checks["llama.cpp"].remedy
    assert "nano" not in checks
    assert {"packages", "disk", "llama-server"} <= checks.keys()


def told_by_child(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """Return what `main` writes when it runs in this process, by name."""
    diagnosis.main()
    lines = [json.loads(line.removeprefix("doctor: ")) for line in capsys.readouterr().out.splitlines()]
    return {line["name"]: line for line in lines if "name" in line}


def test_an_error_of_the_child_is_one_of_its_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        raise EngineError("llama.cpp could not load it.")

    monkeypatch.setattr(diagnosis, "load", load)
    told = told_by_child(capsys)["nano"]
    assert (told["name"], told["state"], told["found"]) == ("nano", "broken", "llama.cpp could not load it.")
    assert told["remedy"].startswith("Reinstall youtu_gguf")


def test_hidden_states_that_differ(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(diagnosis, "MAX_STATE_DIFFERENCE", -1.0)
    told = told_by_child(capsys)["nano"]
    assert told["state"] == "broken"
    assert "the two ways of reading hidden states differ" in told["found"]


def test_the_devices_memory_and_cuda_graphs_are_told_of_where_there_is_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tiny_pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    card = Device("CUDA0", "a card", "GPU", 10**9, 8 * 10**9)
    monkeypatch.setattr("youtu_gguf.engines.native.llama.devices.devices", lambda: (card,))
    monkeypatch.delitem(diagnosis.PROBES, "nano")  # it would be loaded on that card
    found = {check.name: check for check in yg.doctor.diagnose(tiny_pair[0])}
    assert found["GPU memory"].state == "ok"
    assert found["GPU memory"].found == "0.5 GB with all layers on a GPU; where the model runs: CUDA0"
    for value, text in (("1", "off, by GGML_CUDA_DISABLE_GRAPHS in the environment"), ("youtu-gguf", "off, as images")):
        monkeypatch.setenv("GGML_CUDA_DISABLE_GRAPHS", value)
        told = told_by_child(capsys)
        assert told["device"]["found"] == "CUDA0 (GPU): a card, 1.0 of 8.0 GB free"
        assert told["CUDA graphs"]["found"].startswith(text)


def test_little_room_and_little_memory_are_noted(monkeypatch: pytest.MonkeyPatch, tiny_pair: Pair) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=10**9))
    monkeypatch.setattr("youtu_gguf.machine.usable_memory", lambda: UsableMemory(10**8, 10**9))
    found = {check.name: check for check in yg.doctor.diagnose(tiny_pair[0])}
    assert found["disk"].state == found["memory"].state == "note"
    assert "HF_HUB_CACHE" in found["disk"].remedy
    assert found["memory"].remedy == "youtu-gguf plan"


def test_a_llama_server_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "llama-server"
    flags = "--image-max-tokens --mmproj --kv-unified --cache-ram"
    server.write_text(f"#!/bin/sh\n# youtuvl\necho 'version: 9999 (abc)'; echo '{flags}'\n")
    server.chmod(0o755)
    monkeypatch.setenv("YOUTU_GGUF_LLAMA_SERVER", str(server))
    found = {check.name: check.found for check in yg.doctor.diagnose()}["llama-server"]
    assert found == f"{server} (by YOUTU_GGUF_LLAMA_SERVER), version 9999 (abc)"


def test_a_llama_server_that_cannot_be_used_is_a_note_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOUTU_GGUF_LLAMA_SERVER", "/nowhere/llama-server")
    check = next(check for check in yg.doctor.diagnose() if check.name == "llama-server")
    assert (check.state, "/nowhere/llama-server" in check.found) == ("note", True)
