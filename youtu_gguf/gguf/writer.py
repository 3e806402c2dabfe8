"""GGUF files, written a piece at a time, and what is checked before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType

from youtu_gguf import machine
from youtu_gguf.arguments import is_there
from youtu_gguf.errors import InputError, OutputError

Bytes = npt.NDArray[Any]

HEADER_ALLOWANCE = 32 << 20
"""Bytes kept free for the headers when the disk is checked."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to write, `shape` in ggml's order; `role`, and `std` of a matrix, are for makers of random weights."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    role: Literal["matrix", "norm", "bias"] = "matrix"
    std: float = 1.0

    @property
    def n_values(self) -> int:
        """Values in all."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def n_bytes(self) -> int:
        """Bytes in the file, without padding."""
        block, size = GGML_QUANT_SIZES[self.type]
        return int(self.n_values // block * size)


class Weights(Protocol):
    """A source of tensor data."""

    def chunks(self, spec: TensorSpec) -> Iterator[Bytes]:
        """Yield the tensor's bytes in order, a piece at a time."""
        ...


def write_gguf(
    writer: GGUFWriter,
    path: Path,
    specs: Sequence[TensorSpec],
    weights: Weights,
    report: Callable[[int, int], None],
) -> None:
    """Write the metadata that `writer` was given and these tensors to `path`, a piece at a time."""
    for spec in specs:
        writer.add_tensor_info(spec.name, spec.shape[::-1], np.dtype(np.float32), spec.n_bytes, raw_dtype=spec.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    done, total = 0, sum(spec.n_bytes for spec in specs)
    with path.open("ab") as file:
        for spec in specs:
            _pad(file)
            for chunk in weights.chunks(spec):
                done += file.write(chunk.data)
                report(done, total)
        _pad(file)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % GGUF_DEFAULT_ALIGNMENT))


def check_destination(source: Path, destination: Path) -> None:
    """Raise InputError when `destination` cannot take a changed copy of `source`."""
    if is_there(destination) and (destination.is_dir() or destination.samefile(source)):
        what = "a folder" if destination.is_dir() else "the source itself"
        raise InputError(f"expected another file to write to; {destination} is {what}. Name a new .gguf file.")
    if not (is_there(destination.parent) and destination.parent.is_dir()):
        raise InputError(f"expected a folder at {destination.parent}; there is none. Make it, or name another file.")


def bytes_needed(specs: Sequence[TensorSpec]) -> int:
    """Return the size of a file of these tensors, rounded up."""
    return sum(spec.n_bytes for spec in specs) + HEADER_ALLOWANCE


def check_room(folder: Path, n_bytes: int) -> None:
    """Raise OutputError when the disk of `folder`, which need not exist yet, has no room for as many bytes."""
    free = machine.free_disk(folder)
    if free < n_bytes:
        raise OutputError(
            f"{folder} needs {n_bytes / 1e9:.1f} GB free; got {free / 1e9:.1f} GB. Free some, or choose another folder."
        )
