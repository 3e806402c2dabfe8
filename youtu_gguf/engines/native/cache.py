"""What an engine keeps of the images it has processed: in memory, and on disk if the user asks for it.

Keys are made from the content of images, so that an overwritten file counts as another image. Both caches drop the
least recently used values first and never exceed their bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.forks import forkable_lock
from youtu_gguf.types import F32, PreparedImage

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.engines.native.segments import Segment
    from youtu_gguf.gguf.pair import ModelPair

MAGIC = b"youtu-gguf prefix state 3\n"
SUFFIX = ".state"
_SIZES, _CHECK = struct.Struct("<qqq"), struct.Struct("<I")
_HEADER_BYTES = len(MAGIC) + _SIZES.size + _CHECK.size
"""A file: `MAGIC`, rows and columns of the states, bytes of the cache; a CRC-32 of these sizes and of what follows; the
states, the cache. The sum is against damage, of which it misses one case in four thousand million, not against someone
who may write to the folder. It takes a fifth of the time of a cryptographic one, which was most of reading a file."""


class Sized(Protocol):
    """A value that knows its size in bytes."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        ...


V = TypeVar("V", bound=Sized)


@dataclass(frozen=True, eq=False)
class PrefixStates:
    """What the network computed for a prefix.

    Attributes:
        hidden: (n, n_embd) final states: for each image, of the position before it and of its tokens.
        cache: Keys and values of the prefix as llama.cpp writes them, read-only; empty if only the states are kept.
        segments: What they were computed for, if another prefix may begin like it; not written to disk.
    """

    hidden: F32
    cache: bytes | memoryview = b""
    segments: tuple[Segment, ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of states, keys and values, and images in bytes."""
        images = (segment.rgb.nbytes for segment in self.segments if isinstance(segment, PreparedImage))
        return self.hidden.nbytes + len(self.cache) + sum(images)


class ByteCache(Generic[V]):
    """The most recently used values by key, at most `bound` bytes in total. Safe to use from several threads."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._lock = forkable_lock(self, "_lock")
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """Size of all values in bytes."""
        return self._nbytes

    def get(self, key: Hashable) -> V | None:
        """Return the value, or None, and mark it as used."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value` unless it alone exceeds the bound."""
        with self._lock:
            self._drop(key)
            if value.nbytes > self.bound:
                return
            self._values[key] = value
            self._nbytes += value.nbytes
            while self._nbytes > self.bound:
                self._drop(next(iter(self._values)))

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()
            self._nbytes = 0

    def _drop(self, key: Hashable) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._nbytes -= value.nbytes


class StateFiles:
    """Prefix states in a folder, one file each, at most `bound` bytes in total.

    A damaged file counts as missing and is replaced: llama.cpp must never read one.

    Args:
        folder: Created if it does not exist.
        bound: Largest total size in bytes.
        identity: Names everything that the states depend on besides the prefix: the model and how it is run.

    Raises:
        InputError: The folder cannot be created or written to.
    """

    def __init__(self, folder: Path, bound: int, identity: str) -> None:
        self._folder, self._bound, self._identity = folder, bound, identity
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except (OSError, ValueError) as exc:
            raise InputError(f"cache_dir must be a folder; {folder} cannot be created: {exc}. Name another.") from exc
        if not writable:
            raise InputError(f"cache_dir must be writable; {folder} is not. Name another folder.")

    def path(self, key: str) -> Path:
        """Return the file for the states of `key`."""
        name = hashlib.blake2b(f"{self._identity}\n{key}".encode(), digest_size=20).hexdigest()
        return self._folder / f"{name}{SUFFIX}"

    def get(self, key: str) -> PrefixStates | None:
        """Return the states of `key`, or None."""
        path = self.path(key)
        try:
            states = _read(path)
        except OSError:
            return None
        if states is not None:
            with contextlib.suppress(OSError):
                os.utime(path)  # the least recently used files are removed first
        return states

    def put(self, key: str, states: PrefixStates) -> None:
        """Write the states of `key`, unless they alone exceed the bound.

        Does nothing if the disk is full or missing: the file only saves time.
        """
        if _HEADER_BYTES + states.nbytes > self._bound:
            return
        path = self.path(key)
        with contextlib.suppress(OutputError):
            write_bytes(path, _header(states), states.hidden.data, states.cache)
            self._shrink(path)

    def _shrink(self, keep: Path) -> None:
        found = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):  # another process may remove it
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._bound:
                return
            if path != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size


def state_files(pair: ModelPair, settings: Settings, way: tuple[str, ...]) -> StateFiles | None:
    """Return the files of `cache_dir` for a model pair, or None without one.

    Args:
        pair: The model.
        settings: How it is run.
        way: What else the states depend on: llama.cpp's version, and how they are read.
    """
    if settings.cache_dir is None:
        return None
    files = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (pair.model.path, pair.projector.path)]
    identity = repr((files, *way, settings.n_batch, settings.repack))
    return StateFiles(settings.cache_dir, settings.cache_dir_bytes, identity)


def find_states(cache: ByteCache[Sized], files: StateFiles | None, key: str) -> PrefixStates | None:
    """Return the states of `key` from memory or from disk, or None; what was on disk is then in memory too."""
    cached = cache.get(key)
    if isinstance(cached, PrefixStates):
        return cached
    found = files.get(key) if files is not None else None
    if found is not None:
        cache.put(key, found)
    return found


def _header(states: PrefixStates) -> bytes:
    sizes = _SIZES.pack(*states.hidden.shape, len(states.cache))
    return MAGIC + sizes + _CHECK.pack(_check(sizes, states))


def _check(sizes: bytes, states: PrefixStates) -> int:
    return zlib.crc32(states.cache, zlib.crc32(states.hidden.data, zlib.crc32(sizes)))


def _read(path: Path) -> PrefixStates | None:
    """Return the states in a file; None if it is damaged.

    They are read into memory, each part into its own, and not mapped: reading a mapped file that another program cuts
    short ends the process.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(MAGIC):
            return None
        sizes, check = header[len(MAGIC) : -_CHECK.size], header[-_CHECK.size :]
        n_rows, n_embd, n_cache = _SIZES.unpack(sizes)
        n_hidden = n_rows * n_embd * np.dtype(np.float32).itemsize
        left = os.fstat(file.fileno()).st_size - _HEADER_BYTES
        if min(n_rows, n_embd, n_cache) < 0 or n_hidden + n_cache != left:
            return None
        hidden, cache = np.empty(n_hidden, np.uint8), np.empty(n_cache, np.uint8)
        if (file.readinto(hidden.data), file.readinto(cache.data)) != (n_hidden, n_cache):
            return None
    hidden.setflags(write=False)  # they are kept, and given to callers
    states = PrefixStates(hidden.view(np.float32).reshape(n_rows, n_embd), cache.data.toreadonly())
    return states if _CHECK.pack(_check(sizes, states)) == check else None
