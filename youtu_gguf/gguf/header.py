"""The header of a GGUF file: metadata and where each tensor lies, read without touching the tensors.

`gguf.GGUFReader` is not used here: it makes numpy objects for every entry of every array, which takes 9.7 s and
740 MB for a token list of 283,386 entries with 120,000 merges (this reader: 0.03 s), and broken files end in
IndexError, KeyError or ValueError from deep inside it. Every count is checked against the bytes that are left before
anything is allocated, so a hostile header costs no more memory than the file is long.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.constants import (
    GGML_QUANT_SIZES,
    GGUF_DEFAULT_ALIGNMENT,
    GGMLQuantizationType,
    GGUFValueType,
    Keys,
)

from youtu_gguf.errors import ModelFileError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 16
MAX_ITEMS = 1 << 24
"""Bounds far above any real model: they end the reading of a hostile file early, not that of a real one."""
MAX_DIMS = 4

UNFINISHED = frozenset(
    (".incomplete", ".part", ".partial", ".crdownload", ".download", ".opdownload", ".aria2", ".tmp")
)
"""Suffixes that programs give to files they have not downloaded completely."""

_LOG_IN = "Download it again; where a network or page asks to log in first, do so"
_UNPACK = "Unpack it"
_CONVERT = "Convert it with llama.cpp's convert_hf_to_gguf.py, or download a GGUF release"
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, which stands for the file",
        "Run `git lfs pull` in its folder, or get the model with `youtu-gguf pull`",
    ),
    (b"# xet version", "a pointer of Xet, which stands for the file", "Get the model with `youtu-gguf pull`"),
    (b"<", "a web page", _LOG_IN),
    (b"{", "a text in JSON, such as a server's error message", _LOG_IN),
    (b"\x1f\x8b", "a file compressed with gzip", _UNPACK),
    (b"PK\x03\x04", "a ZIP archive or a PyTorch checkpoint", f"{_UNPACK}, or take a GGUF release"),
    (b"\xfd7zXZ\0", "a file compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed with Zstandard", _UNPACK),
    (b"BZh", "a file compressed with bzip2", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"lmgg", "a model in the format before GGUF", _CONVERT),
    (b"tjgg", "a model in the format before GGUF", _CONVERT),
    (b"\0\0\0\0", "zero bytes, as of a download that did not finish", "Download it again"),
)
"""What is taken for a model file by mistake: first bytes, description and remedy."""
_SNIFFED = 512

_SCALARS: dict[int, np.dtype[Any]] = {
    GGUFValueType.UINT8: np.dtype("<u1"),
    GGUFValueType.INT8: np.dtype("<i1"),
    GGUFValueType.UINT16: np.dtype("<u2"),
    GGUFValueType.INT16: np.dtype("<i2"),
    GGUFValueType.UINT32: np.dtype("<u4"),
    GGUFValueType.INT32: np.dtype("<i4"),
    GGUFValueType.FLOAT32: np.dtype("<f4"),
    GGUFValueType.BOOL: np.dtype("?"),
    GGUFValueType.UINT64: np.dtype("<u8"),
    GGUFValueType.INT64: np.dtype("<i8"),
    GGUFValueType.FLOAT64: np.dtype("<f8"),
}
_MIN_KEY_BYTES = 13  # name length, value type, a one-byte value
_MIN_TENSOR_BYTES = 32  # name length, dimension count, one dimension, type, offset


@dataclass(frozen=True, eq=False)
class GGUFArray:
    """An array of the metadata, kept as the file's bytes and decoded on demand: `type` is that of its items."""

    type: GGUFValueType
    count: int
    raw: bytes = field(repr=False)

    def __len__(self) -> int:
        return self.count

    def numbers(self) -> npt.NDArray[Any]:
        """Return the items of a numeric array, read-only.

        Raises:
            ModelFileError: The items are strings.
        """
        if self.type == GGUFValueType.STRING:
            raise ModelFileError("expected an array of numbers; got strings. The model file is damaged.")
        return np.frombuffer(self.raw, dtype=_SCALARS[self.type], count=self.count)

    def byte_strings(self) -> Iterator[bytes]:
        """Yield the items of a string array as UTF-8 bytes.

        Raises:
            ModelFileError: The items are numbers.
        """
        raw = self.raw
        for start, end in pairwise(self.edges()):
            yield raw[start + 8 : end]

    def edges(self) -> list[int]:
        """Return where in `raw` each item of a string array begins, with 8 bytes of its length, and the end.

        Raises:
            ModelFileError: The items are numbers.
        """
        if self.type != GGUFValueType.STRING:
            raise ModelFileError("expected an array of strings; got numbers. The model file is damaged.")
        raw, length_at, at = self.raw, struct.Struct("<Q").unpack_from, 0
        found = [0]
        for _ in range(self.count):
            at += 8 + length_at(raw, at)[0]
            found.append(at)
        return found

    def strings(self) -> list[str]:
        """Return the items of a string array; bytes that are not UTF-8 come as U+FFFD."""
        return [item.decode("utf-8", errors="replace") for item in self.byte_strings()]


Value = int | float | bool | str | GGUFArray


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies: `shape` in ggml's order (row length first), absolute `offset`, `n_bytes`."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset: int
    n_bytes: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, that is of `shape[0]` values."""
        block, size = GGML_QUANT_SIZES[self.type]
        return int(self.shape[0] // block * size)


@dataclass(frozen=True, eq=False)
class Header:
    """What a GGUF file says about itself. `types` gives the GGUF type of each metadata value."""

    path: Path
    file_size: int
    metadata: Mapping[str, Value] = field(repr=False)
    types: Mapping[str, GGUFValueType] = field(repr=False)
    tensors: Mapping[str, TensorInfo] = field(repr=False)

    @property
    def architecture(self) -> str:
        """`general.architecture`, empty where the file has none."""
        value = self.metadata.get(Keys.General.ARCHITECTURE)
        return value if isinstance(value, str) else ""


def read_header(path: str | Path) -> Header:
    """Read the header of a GGUF file.

    Raises:
        ModelFileError: No such file, not a GGUF file, damaged, or shorter than its tensors.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ModelFileError(f"expected a GGUF file; {path} is a folder. Name the file in it.")
        if not path.is_file():
            raise ModelFileError(f"expected a GGUF file at {path}; {_what_is_missing(path)}")
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
            if not start.startswith(MAGIC):
                raise ModelFileError(f"expected a GGUF file at {path}; got {_what_it_is(start)}.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data).header()
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the name
        raise ModelFileError(f"expected to read {path}; got: {exc}. Check the path and its permissions.") from exc


def _what_is_missing(path: Path) -> str:
    if path.is_symlink():
        return f"it is a link to {path.readlink()}, which does not exist. Download the file again."
    if path.exists():
        return "it is not a plain file. Give a .gguf model file."
    return "there is none. Check the path, or download the model."


def _what_it_is(start: bytes) -> str:
    """Return what a file is that is not GGUF, by its first bytes, and what to do."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, name, remedy in _OTHERS:
        if start.startswith(magic) or text.startswith(magic):
            return f"{name}. {remedy}"
    if start[8:10] == b'{"':  # the length of the header comes first
        return f"a file of safetensors. {_CONVERT}"
    if not start:
        return "one that is empty. Download it again"
    return f"one starting with {start[: len(MAGIC)]!r}. Give a .gguf model file"


class _Reader:
    """A cursor over the mapped file; every read is checked against its end."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path = path
        self.data = data
        self.size = len(data)
        self.at = len(MAGIC)

    def header(self) -> Header:
        """Read everything up to the tensor data."""
        version = self.number("<I")
        if version not in VERSIONS:
            raise self.broken(f"GGUF version 2 or 3, little-endian, was expected; got {version:#x}", "Convert it again")
        n_tensors = self.count("tensors", self.number("<Q"), _MIN_TENSOR_BYTES, MAX_TENSORS, ahead=8)
        n_keys = self.count("metadata keys", self.number("<Q"), _MIN_KEY_BYTES, MAX_KEYS)
        metadata: dict[str, Value] = {}
        types: dict[str, GGUFValueType] = {}
        for _ in range(n_keys):
            key = self.text(strict=True)
            if key in metadata:
                raise self.broken(f"each metadata key was expected once; {key!r} comes twice")
            metadata[key], types[key] = self.value()
        tensors = self.tensors(n_tensors, self.alignment(metadata))
        return Header(self.path, self.size, MappingProxyType(metadata), MappingProxyType(types), tensors)

    def value(self) -> tuple[Value, GGUFValueType]:
        """Read a typed metadata value."""
        code = self.number("<I")
        if code == GGUFValueType.ARRAY:
            return self.array(), GGUFValueType.ARRAY
        if code == GGUFValueType.STRING:
            return self.text(), GGUFValueType.STRING
        if code not in _SCALARS:
            raise self.broken(f"a GGUF value type was expected; got {code}")
        dtype = _SCALARS[code]
        return np.frombuffer(self.take(dtype.itemsize), dtype=dtype)[0].item(), GGUFValueType(code)

    def array(self) -> GGUFArray:
        """Step over an array, keeping its bytes."""
        code = self.number("<I")
        if code != GGUFValueType.STRING and code not in _SCALARS:
            raise self.broken(f"an array of strings or numbers was expected; got item type {code}")
        item_bytes = 8 if code == GGUFValueType.STRING else _SCALARS[code].itemsize
        count = self.count("array items", self.number("<Q"), item_bytes, MAX_ITEMS)
        if code != GGUFValueType.STRING:
            return GGUFArray(GGUFValueType(code), count, self.take(count * item_bytes))
        start = self.at
        self.at = self.end_of_strings(count)
        return GGUFArray(GGUFValueType.STRING, count, self.data[start : self.at])

    def end_of_strings(self, count: int) -> int:
        """Return where `count` strings end; a tight loop, since token lists are long."""
        at, last, data, length_at = self.at, self.size - 8, self.data, struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at > last:
                raise self.truncated()
            at += 8 + length_at(data, at)[0]
        if at > self.size:
            raise self.truncated()
        return at

    def alignment(self, metadata: Mapping[str, Value]) -> int:
        """Return the alignment of tensor data in bytes."""
        value = metadata.get(Keys.General.ALIGNMENT, GGUF_DEFAULT_ALIGNMENT)
        if not isinstance(value, int) or value <= 0 or value & (value - 1):
            raise self.broken(f"{Keys.General.ALIGNMENT} was expected to be a power of two; got {value!r}")
        return value

    def tensors(self, n_tensors: int, alignment: int) -> Mapping[str, TensorInfo]:
        """Read the tensor list and place it in the file."""
        listed = [self.tensor() for _ in range(n_tensors)]
        base = end = -(-self.at // alignment) * alignment
        tensors: dict[str, TensorInfo] = {}
        for name, shape, kind, offset in listed:
            if name in tensors:
                raise self.broken(f"each tensor was expected once; {name!r} comes twice")
            if offset != -(-end // alignment) * alignment - base:  # llama.cpp wants them one behind the other
                raise self.broken(f"tensor {name!r} was expected right behind the one before; got offset {offset:,}")
            block, size = GGML_QUANT_SIZES[kind]
            n_values = int(np.prod(shape, dtype=object))
            tensors[name] = TensorInfo(name, shape, kind, base + offset, n_values // block * size)
            end = base + offset + tensors[name].n_bytes
        if tensors and end > self.size:
            raise ModelFileError(
                f"{self.path} was expected to have {end:,} bytes; got {self.size:,}: it is truncated. "
                f"{'Finish the download' if self.path.suffix.lower() in UNFINISHED else 'Download it again'}."
            )
        return MappingProxyType(tensors)

    def tensor(self) -> tuple[str, tuple[int, ...], GGMLQuantizationType, int]:
        """Read one entry of the tensor list: name, shape, type, relative offset."""
        name = self.text(strict=True)
        n_dims = self.number("<I")
        if not 1 <= n_dims <= MAX_DIMS:
            raise self.broken(f"tensor {name!r} was expected to have 1 to {MAX_DIMS} dimensions; got {n_dims}")
        shape = tuple(self.number("<Q") for _ in range(n_dims))
        code, offset = self.number("<I"), self.number("<Q")
        try:
            kind = GGMLQuantizationType(code)
        except ValueError as exc:
            finding = f"tensor {name!r} was expected to have a known type; got {code}"
            raise self.broken(finding, "Update this package, or choose another quantisation") from exc
        block, _ = GGML_QUANT_SIZES[kind]
        if not all(shape) or shape[0] % block:
            raise self.broken(f"tensor {name!r} was expected to have rows of whole {kind.name} blocks; got {shape}")
        return name, shape, kind, offset

    def text(self, *, strict: bool = False) -> str:
        """Read a string; names must be UTF-8 (`strict`), values may be anything."""
        raw = self.take(self.number("<Q"))
        try:
            return raw.decode("utf-8", errors="strict" if strict else "replace")
        except UnicodeDecodeError as exc:
            raise self.broken(f"a UTF-8 name was expected; got {raw[:20]!r}") from exc

    def number(self, layout: str) -> int:
        """Read one integer."""
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def count(self, what: str, count: int, item_bytes: int, most: int, *, ahead: int = 0) -> int:
        """Return `count` if that many items can be in the rest of the file."""
        room = min(most, (self.size - self.at - ahead) // item_bytes)
        if count > room:
            raise self.broken(f"at most {room:,} {what} were expected in what is left of it; got {count:,}")
        return count

    def take(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        if n_bytes > self.size - self.at:
            raise self.truncated()
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def truncated(self) -> ModelFileError:
        """The error for a header that runs past the end of the file."""
        return self.broken(f"more than {self.size:,} bytes were expected; got a header cut short")

    def broken(self, finding: str, remedy: str = "Download it again") -> ModelFileError:
        """The error for this file."""
        return ModelFileError(f"{self.path} is not a usable GGUF file: {finding}. {remedy}.")
