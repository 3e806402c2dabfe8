"""A short name for the content of model files, made without reading them through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from youtu_gguf.errors import ModelFileError
from youtu_gguf.gguf.header import Header

N_BLOCKS, BLOCK_BYTES = 256, 64 << 10
"""Blocks of tensor data that are read, evenly spaced from the first byte to the last, and their size: 16 MB of 5 GB.
Converting, quantising or training a model again changes nearly every block. An edit by hand between the blocks goes
unnoticed, which is why pulled files also have a hash of all their bytes."""

_VERSION = b"youtu-gguf fingerprint 1"


def fingerprint(*files: Header) -> str:
    """Return 32 hexadecimal digits for `files`: of their lengths, headers, and blocks of tensor data.

    Names and places make no difference. Takes 0.1 s for the full-size pair.

    Raises:
        ModelFileError: A file can no longer be read.
    """
    state = hashlib.blake2b(_VERSION, digest_size=16)
    for header in files:
        try:
            for piece in _pieces(header):
                state.update(piece)
        except OSError as exc:
            raise ModelFileError(f"expected to read {header.path}; got: {exc}. Check the file's permissions.") from exc
    return state.hexdigest()


def _pieces(header: Header) -> Iterator[bytes]:
    size = header.file_size
    start = min((tensor.offset for tensor in header.tensors.values()), default=size)
    last = max(start, size - BLOCK_BYTES)
    places = sorted({start + (last - start) * i // (N_BLOCKS - 1) for i in range(N_BLOCKS)})
    yield size.to_bytes(8, "little")
    with header.path.open("rb") as file:
        yield file.read(start)
        for place in places:
            file.seek(place)
            yield file.read(BLOCK_BYTES)
