"""A model or projector in a smaller encoding, made by llama.cpp's own quantiser."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf import machine
from youtu_gguf.arguments import checked_path, checked_threads
from youtu_gguf.atomic import replacing, writing
from youtu_gguf.errors import EngineError, InputError, ModelFileError
from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE
from youtu_gguf.gguf.header import Header, read_header
from youtu_gguf.gguf.pair import check_model, check_projector
from youtu_gguf.gguf.writer import HEADER_ALLOWANCE, check_destination, check_room
from youtu_gguf.types import ProgressFn, no_progress

UNMADE = {"IQ1_M", "IQ1_S", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ3_XXS", "MXFP4_MOE", "NVFP4", "Q1_0", "Q2_0", "Q2_K_S"}
"""Encodings that need an importance matrix, experts or another tool; they are not offered."""


@dataclass(frozen=True)
class Quantized:
    """What was written, and the bytes of the file before and after."""

    path: Path
    bytes_before: int
    bytes_after: int


VALUE_BYTES = 5
"""For each value of a tensor: a float, and what becomes of it. 72.5 million values took 350 to 450 MB, both processes
included."""


def quantize(
    source: str | Path,
    destination: str | Path,
    encoding: str,
    threads: int | None = None,
    progress: ProgressFn | None = None,
) -> Quantized:
    """Write a copy of a language model or projector in another encoding.

    Matrices whose rows do not fill the blocks of a K-quant fall back to a larger encoding; norms and biases stay F32.

    Args:
        source: GGUF file of a Youtu-VL language model or projector.
        destination: File to write. It is there whole or not at all; one of that name is replaced.
        encoding: As llama.cpp names them: Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0, F16 and others.
        threads: CPU threads; all by default.
        progress: Called with ("quantize", tensors done, tensors in all).

    Raises:
        ModelFileError: The source is not a usable model or projector.
        InputError: An unknown encoding, or a destination that is the source.
        OutputError: The destination cannot be written, or has no room.
        EngineError: llama.cpp failed, or the largest tensor does not fit into the free memory.
    """
    from youtu_gguf.engines.native.llama.quantizing import encodings, quantize_file, quantized_bytes

    source, destination = checked_path("source", source), checked_path("destination", destination)
    n_threads = machine.usable_cores() if threads is None else checked_threads(threads)
    known = {name: code for name, code in encodings().items() if name not in UNMADE}
    if not isinstance(encoding, str) or encoding.upper() not in known:
        raise InputError(f"expected an encoding among {', '.join(sorted(known))}; got {encoding!r}.")
    header = read_header(source)
    if header.architecture == PROJECTOR_ARCHITECTURE:
        check_projector(header)
    elif header.architecture == LANGUAGE_ARCHITECTURE:
        check_model(header)
    else:
        raise ModelFileError(
            f"expected a Youtu-VL language model or projector; {source} is of architecture {header.architecture!r}."
        )
    check_destination(source, destination)
    code = known[encoding.upper()]
    check_memory(header, machine.usable_memory().free)
    check_room(destination.parent, quantized_bytes(source, code) + HEADER_ALLOWANCE)
    report = progress or no_progress
    with writing(destination), replacing(destination) as new:
        quantize_file(source, new, code, n_threads, lambda *done: report("quantize", *done))
        read_header(new)  # a disk that fills up shows here
    return Quantized(destination, header.file_size, destination.stat().st_size)


def check_memory(header: Header, free: int) -> None:
    """Refuse a file whose largest tensor does not fit into `free` bytes of memory while it is converted.

    Raises:
        EngineError: It does not fit.
    """
    largest = max(header.tensors.values(), key=lambda tensor: math.prod(tensor.shape))
    needed = math.prod(largest.shape) * VALUE_BYTES
    if needed > free:
        raise EngineError(
            f"quantising {header.path} needs {needed / 1e9:.2f} GB of memory, for {largest.name} as 32-bit numbers; "
            f"{free / 1e9:.2f} GB are free. Do it on a machine, or in a container, with more."
        )
