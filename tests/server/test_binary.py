"""Which llama-server is run, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import youtu_gguf as yg
from youtu_gguf.engines.llama_server.binary import find_llama_server, installed

GOOD_HELP = "--image-max-tokens N --mmproj FILE --kv-unified --cache-ram N"


def fake(
    folder: Path, *, version: str = "version: 9999 (abcdef)", flags: str = GOOD_HELP, knows: str = "youtuvl"
) -> Path:
    """Write a program that says it is a llama-server."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "llama-server"
    path.write_text(f'#!/bin/sh\n# {knows}\n[ "$1" = --version ] && echo "{version}" >&2 || echo "{flags}"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No llama-server anywhere: empty folders for what we install and for the PATH."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin:" + str(tmp_path / "bin"))
    monkeypatch.delenv("YOUTU_GGUF_LLAMA_SERVER", raising=False)
    return tmp_path


def test_what_is_named_comes_first_then_the_variable_then_ours_then_the_path(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = fake(nowhere / "bin")
    assert (find_llama_server().path, find_llama_server().found_by) == (on_path, "PATH")
    ours = fake(installed().parent)
    assert (find_llama_server().path, find_llama_server().found_by) == (ours, "scripts/build-llama-server")
    by_variable = fake(nowhere / "variable")
    monkeypatch.setenv("YOUTU_GGUF_LLAMA_SERVER", str(by_variable))
    assert (find_llama_server().path, find_llama_server().found_by) == (by_variable, "YOUTU_GGUF_LLAMA_SERVER")
    named = fake(nowhere / "named")
    assert find_llama_server(named).path == named
    assert find_llama_server(named).version == "9999 (abcdef)"


def test_none_at_all_says_how_to_get_one(nowhere: Path) -> None:
    with pytest.raises(
        yg.EngineError, match=r"no llama-server.*scripts/build-llama-server.*engine=\"native\" needs none"
    ):
        find_llama_server()


def test_what_is_named_and_missing_is_not_replaced_by_another(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(nowhere / "bin")
    with pytest.raises(yg.EngineError, match=r"llama_server must name the program llama-server; got .*gone"):
        find_llama_server(nowhere / "gone")
    monkeypatch.setenv("YOUTU_GGUF_LLAMA_SERVER", str(nowhere / "gone"))
    with pytest.raises(yg.EngineError, match=r"YOUTU_GGUF_LLAMA_SERVER must name"):
        find_llama_server()


def test_a_folder_or_a_file_that_cannot_be_run_is_refused(nowhere: Path) -> None:
    plain = fake(nowhere / "plain")
    plain.chmod(0o644)
    for path in (nowhere, plain):
        with pytest.raises(yg.EngineError, match="must name the program"):
            find_llama_server(path)


def test_a_program_that_is_none_is_refused(nowhere: Path) -> None:
    with pytest.raises(yg.EngineError, match=r"must be a llama-server; asked for its version it prints 'hello"):
        find_llama_server(fake(nowhere / "x", version="hello"))
    broken = nowhere / "broken"
    broken.write_bytes(b"\x7fELF garbage")
    broken.chmod(0o755)
    with pytest.raises(yg.EngineError, match="runs on this machine; it does not"):
        find_llama_server(broken)


def test_an_old_one_without_our_flags_is_refused_by_version(nowhere: Path) -> None:
    old = fake(nowhere / "x", version="version: 4000 (0000000)", flags="--mmproj FILE")
    with pytest.raises(
        yg.EngineError, match=r"version 4000 \(0000000\), does not know --image-max-tokens, --kv-unified"
    ):
        find_llama_server(old)


def test_one_that_does_not_know_the_projector_is_refused(nowhere: Path) -> None:
    with pytest.raises(yg.EngineError, match="does not know the projector youtuvl"):
        find_llama_server(fake(nowhere / "x", knows="qwen2vl"))


def test_the_projector_may_be_known_to_a_library_beside_it(nowhere: Path) -> None:
    path = fake(nowhere / "x" / "bin", knows="nothing")
    (nowhere / "x" / "lib").mkdir()
    (nowhere / "x" / "lib" / "libmtmd.so").write_bytes(b"\0youtuvl\0")
    (nowhere / "x" / "lib" / "libmtmd-empty.so").write_bytes(b"")
    assert find_llama_server(path).path == path


def test_ours_is_built_from_the_source_of_the_native_engine() -> None:
    assert find_llama_server().found_by in ("scripts/build-llama-server", "YOUTU_GGUF_LLAMA_SERVER")
