"""Quantisation of a GGUF file by llama.cpp."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from youtu_gguf.engines.native.interrupts import Deferral
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.errors import EngineError

_PREFIX = "LLAMA_FTYPE_"
_SIZE = re.compile(r"quant size\s*=\s*([\d.]+) MiB")
_TENSOR = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")
_PROGRESS = re.compile(r"(\d+) of (\d+)\n")
_CHILD = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {__name__} import main; main(sys.argv[2:])"
_LINES_KEPT = 5


def encodings() -> dict[str, int]:
    """Return the encodings that this llama.cpp writes and their numbers, by name: Q8_0, Q4_K_M and so on."""
    found = {name: value for name, value in vars(lib).items() if name.startswith(_PREFIX) and isinstance(value, int)}
    names = {name.removeprefix(_PREFIX).removeprefix("MOSTLY_").removeprefix("ALL_"): v for name, v in found.items()}
    return {name: value for name, value in names.items() if name != "GUESSED"}


def quantize_file(
    source: Path, destination: Path, encoding: int, threads: int, report: Callable[[int, int], None]
) -> None:
    """Write `source` in another encoding to `destination`; `report` gets the number of finished and of all tensors.

    llama.cpp cannot be interrupted during this work and ends the process on some errors. So the work runs in a child
    process, which is killed if this function raises.

    Raises:
        EngineError: llama.cpp refused or failed; the message gives its reason.
    """
    words = map(str, (source, destination, encoding, threads))
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path), *words]
    log: deque[str] = deque(maxlen=_LINES_KEPT)
    none, pipe = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdin=none, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if found := _PROGRESS.fullmatch(line):
                    report(int(found[1]), int(found[2]))
                else:
                    log.append(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        reason = "".join(log).strip()
        raise EngineError(f"llama.cpp could not quantise {source} (status {process.returncode}). {reason}".rstrip())


def main(words: list[str]) -> None:
    """Quantise a file in this process and print the progress to stdout; end when the parent process ends."""
    source, destination = map(Path, words[:2])
    encoding, threads = map(int, words[2:])
    params, parent = _params(encoding), os.getppid()
    params.nthread = threads

    def print_progress(line: str) -> None:
        if os.getppid() != parent:
            os._exit(1)
        if found := _TENSOR.match(line):
            sys.stdout.write(f"{found[1]} of {found[2]}\n")
            sys.stdout.flush()

    try:
        _run(source, destination, params, print_progress)
    except EngineError as exc:
        sys.exit(str(exc))


def quantized_bytes(source: Path, encoding: int) -> int:
    """Return how many bytes the tensors of `source` take in another encoding, without writing them.

    Raises:
        EngineError: llama.cpp refused; the message gives its reason.
    """
    params = _params(encoding)
    params.dry_run = True
    log: list[str] = []
    _run(source, source, params, log.append)
    found = _SIZE.search("".join(log))
    if found is None:
        raise EngineError(f"llama.cpp did not report how large {source} would become.{bindings.recent_warnings()}")
    return round(float(found[1]) * (1 << 20))


def _params(encoding: int) -> Any:
    params = lib.llama_model_quantize_default_params()
    params.ftype = encoding
    params.allow_requantize = True  # the published files are Q8_0 and F16
    return params


def _run(source: Path, destination: Path, params: Any, listener: Callable[[str], None]) -> None:
    bindings.start()
    bindings.recent_warnings()
    with bindings.log_listener(listener), Deferral():
        status = lib.llama_model_quantize(os.fsencode(source), os.fsencode(destination), ctypes.byref(params))
    if status != 0:
        raise EngineError(f"llama_model_quantize ended with status {status}.{bindings.recent_warnings()}")
