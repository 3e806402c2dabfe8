"""Which llama-server to run, and whether it can run the model."""

from __future__ import annotations

import mmap
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.environment import LLAMA_SERVER_VARIABLE, data_folder, default_llama_server, server_environment
from youtu_gguf.errors import EngineError
from youtu_gguf.facts import PROJECTOR_TYPE

NEEDED_FLAGS = ("--image-max-tokens", "--mmproj", "--kv-unified", "--cache-ram")
"""Flags that we use and older programs lack."""

BUILD = "scripts/build-llama-server"

_ANSWER_S = 60.0  # a program with CUDA in it may take seconds to print its version


@dataclass(frozen=True)
class LlamaServer:
    """A llama-server that can run the model: its path, how that was found, its version and its flags."""

    path: Path
    found_by: str
    version: str
    flags: frozenset[str]


def installed() -> Path | None:
    """Return where scripts/build-llama-server installs the program; None where the user has no home folder."""
    name, data = "llama-server.exe" if os.name == "nt" else "llama-server", data_folder()
    return None if data is None else data / "llama-server" / "current" / "bin" / name


def find_llama_server(setting: Path | None = None) -> LlamaServer:
    """Find a llama-server: the one in `setting`, else in the environment variable, else our own, else on the PATH.

    A program that is named is used or refused, and never replaced by another.

    Raises:
        EngineError: There is none, or it cannot run this model.
    """
    path, found_by = _find(setting)
    answer, flags = _ask(path, "--version"), frozenset(re.findall(r"--[a-z0-9-]+", _ask(path, "--help")))
    version = re.search(r"version: (.+)", answer)
    if version is None:
        raise EngineError(
            f"{path} (by {found_by}) must be a llama-server; asked for its version it prints {answer[:200]!r}."
        )
    lacking = [flag for flag in NEEDED_FLAGS if flag not in flags]
    if lacking:
        raise EngineError(
            f"{path} (by {found_by}), version {version[1]}, does not know {', '.join(lacking)}. Use a newer llama.cpp: "
            f"{BUILD} builds the one that this package is tested with."
        )
    if not any(_mentions(file, PROJECTOR_TYPE.encode()) for file in _parts(path)):
        raise EngineError(
            f"{path} (by {found_by}), version {version[1]}, does not know the projector {PROJECTOR_TYPE} of "
            f"Youtu-VL. Use a newer llama.cpp: {BUILD} builds the one that this package is tested with."
        )
    return LlamaServer(path, found_by, version[1].strip(), flags)


def _find(setting: Path | None) -> tuple[Path, str]:
    for named, found_by in ((setting, "llama_server"), (default_llama_server(), LLAMA_SERVER_VARIABLE)):
        if named is not None:
            if not (os.access(named, os.X_OK) and named.is_file()):
                raise EngineError(
                    f"{found_by} must name the program llama-server; got {named}. Correct it, or leave it out."
                )
            return named, found_by
    ours = installed()
    if ours is not None and os.access(ours, os.X_OK):
        return ours, BUILD
    on_path = shutil.which("llama-server")
    if on_path is None:
        raise EngineError(
            f"no llama-server: none in {ours or 'a home folder'} and none on the PATH. {BUILD} builds one; or name "
            f'your own in {LLAMA_SERVER_VARIABLE}. engine="native" needs none.'
        )
    return Path(on_path), "PATH"


def list_devices(server: LlamaServer) -> list[str]:
    """Return the names of the devices that a llama-server can compute on, without the processor."""
    return re.findall(r"^  (\S+): .* MiB free\)$", _ask(server.path, "--list-devices"), re.MULTILINE)


def _ask(path: Path, flag: str) -> str:
    """Return what the program prints for `flag`, on either stream."""
    try:
        done = subprocess.run(
            [path, flag],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
            env=server_environment(""),
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise EngineError(f"{path} must be a llama-server that runs on this machine; it does not run: {exc}.") from exc
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _parts(path: Path) -> Iterator[Path]:
    """Yield the program and the libraries beside it, which hold the rest in builds with shared libraries."""
    program = path.resolve()
    yield program
    for folder in (program.parent, program.parent.parent / "lib"):
        yield from (file for pattern in ("*mtmd*", "*llama-server*") for file in folder.glob(pattern) if file.is_file())


def _mentions(file: Path, word: bytes) -> bool:
    with file.open("rb") as data:
        if not file.stat().st_size:
            return False
        with mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return whole.find(word) >= 0
