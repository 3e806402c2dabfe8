"""PNG files whose pixels are numbers: classes, distances, ids of objects. Read exactly, and never more than was agreed.

A header is checked before anything is decoded, so a file that claims to have 100,000 rows and columns takes no memory.
Only the chunks with pixels reach the decoder: palettes, transparency and text cannot change what a pixel says.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.types import Size

Levels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MOST_PIXELS = 200_000_000
"""Pixels of the largest file that is read. Ours: images of data sets have 50 million at most."""

_MOST_SIDE = 1 << 20  # OpenCV's own limit, CV_IO_MAX_IMAGE_WIDTH
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FIRST_CHUNKS = 33  # bytes of the signature and of IHDR, which comes first (PNG specification, 5.6)
_GREY, _RGB, _PALETTE = 0, 2, 3  # colour types (PNG specification, 11.2.1)
_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8), _RGB: (8,)}
_IHDR_BYTES, _BYTE = 13, 8
_MOST_DENSE = 1032
"""Bytes that one byte of a zlib stream becomes at most (zlib's technical details, "Maximum Compression Factor")."""
_SPARE_BYTES = 16 << 20  # for text, colour profiles and bad compression
_LOOK = 1 << 15  # bytes of the pixels by which their filters are judged


class _Header(NamedTuple):
    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of pixels, without the number of its filter."""
        return (self.width * self.bits * (3 if self.colour == _RGB else 1) + 7) // 8


def read_levels(source: Path | bytes, *, size: Size | None = None, name: str = "") -> Levels:
    """Return the pixels of a grey or palette PNG file as they are stored.

    A palette's pixels are its indices and not its colours, as in PASCAL VOC; those of 1, 2 and 4 bits are not spread
    over 0..255 as viewers do.

    Args:
        source: The file, or its bytes.
        size: Its size where that is known; files of another size are refused before they are decoded.
        name: What messages call it; the path where none is given.

    Returns:
        (H, W) uint8, or uint16 of a file with 16 bits. Not writable.

    Raises:
        InputError: It cannot be read, is not such a file, has another size or more than `MOST_PIXELS`, or is damaged.
    """
    png, header, name = _opened(source, (_GREY, _PALETTE), size, name)
    data = _pixel_data(png, header, name)
    levels = _unfiltered(data, header, name)
    if levels is None:
        decoded = _decoded(data, header, name)
        levels = decoded if header.bits >= _BYTE else decoded // np.uint8(255 // ((1 << header.bits) - 1))
    levels.flags.writeable = False
    return levels


def read_ids(source: Path | bytes, *, size: Size | None = None, name: str = "") -> npt.NDArray[np.uint32]:
    """Return the ids that an RGB PNG file holds, as panoptic annotations of COCO: R + 256 G + 65536 B.

    Args:
        source: The file, or its bytes.
        size: Its size where that is known; files of another size are refused before they are decoded.
        name: What messages call it; the path where none is given.

    Returns:
        (H, W) ids.

    Raises:
        InputError: It cannot be read, is not such a file, has another size or more than `MOST_PIXELS`, or is damaged.

    Source: COCO's format of panoptic annotations, cocodataset.org/#format-data.
    """
    png, header, name = _opened(source, (_RGB,), size, name)
    bgr = _decoded(_pixel_data(png, header, name), header, name).astype(np.uint32)
    ids: npt.NDArray[np.uint32] = bgr[..., 2] | bgr[..., 1] << np.uint32(8) | bgr[..., 0] << np.uint32(16)
    return ids


def png_size(source: Path | bytes, *, name: str = "") -> Size:
    """Return the size that the header of a PNG file states; nothing is decoded.

    Raises:
        InputError: It cannot be read, or is not a PNG file.
    """
    start = source[:_FIRST_CHUNKS] if isinstance(source, bytes) else _read(source, _FIRST_CHUNKS)
    header = _header(start, name or _called(source))
    return Size(header.width, header.height)


def png_texts(png: bytes, *, name: str = "PNG data") -> dict[str, str]:
    """Return the texts of a PNG file by their keyword (PNG specification, 11.3.4.3, tEXt).

    Raises:
        InputError: It is not a PNG file, or is cut off.
    """
    _header(png[:_FIRST_CHUNKS], name)
    parts = (data.partition(b"\0") for kind, data in _chunks(png, name) if kind == b"tEXt")
    return {keyword.decode("latin-1"): text.decode("latin-1") for keyword, _, text in parts}


def _opened(source: Path | bytes, colours: tuple[int, ...], size: Size | None, name: str) -> tuple[bytes, _Header, str]:
    """Return the bytes of a file whose header is agreed to, its header, and what messages call it."""
    name = name or _called(source)
    start = source[:_FIRST_CHUNKS] if isinstance(source, bytes) else _read(source, _FIRST_CHUNKS)
    header = _header(start, name)
    _check(header, colours, size, name)
    if isinstance(source, bytes):
        return source, header, name
    most = header.row_bytes * header.height + _SPARE_BYTES
    png = _read(source, most + 1)
    if len(png) > most:
        raise InputError(f"{name}: a {header.width}x{header.height} PNG file has at most {most:,} bytes; it has more.")
    return png, header, name


def _called(source: Path | bytes) -> str:
    return "PNG data" if isinstance(source, bytes) else str(source)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as exc:
        raise InputError(f"expected the PNG file {path}; got: {exc.strerror}. Check the path.") from exc


def _header(start: bytes, name: str) -> _Header:
    if not start.startswith(_SIGNATURE) or start[12:16] != b"IHDR":
        raise InputError(f"{name}: expected a PNG file; it begins with {start[:8]!r}.")
    if len(start) < _FIRST_CHUNKS:
        raise InputError(f"{name}: expected a PNG file; it ends after {len(start)} bytes.")
    length, width, height, bits, colour, _, _, interlace, crc = struct.unpack(">I4xIIBBBBBI", start[8:_FIRST_CHUNKS])
    if length != _IHDR_BYTES or crc != zlib.crc32(start[12:29]):
        raise InputError(f"{name}: the header of this PNG file is damaged. Get the file again.")
    return _Header(width, height, bits, colour, bool(interlace))


def _check(header: _Header, colours: tuple[int, ...], size: Size | None, name: str) -> None:
    width, height, bits, colour, _ = header
    if colour not in colours or bits not in _DEPTHS[colour]:
        wanted = "ids in 8-bit RGB" if _RGB in colours else "numbers as grey levels or as indices of a palette"
        got = f"{bits}-bit {_COLOURS.get(colour, f'pixels of colour type {colour}')}"
        raise InputError(f"{name}: expected a PNG file with {wanted}; got {got}.")
    if size is not None and (width, height) != tuple(size):
        raise InputError(f"{name}: expected {size.width}x{size.height} pixels, as in the image; got {width}x{height}.")
    if not 1 <= width <= _MOST_SIDE or not 1 <= height <= _MOST_SIDE or width * height > MOST_PIXELS:
        raise InputError(f"{name}: expected 1 to {MOST_PIXELS:,} pixels; its header says {width}x{height}.")


def _pixel_data(png: bytes, header: _Header, name: str) -> bytes:
    """Return the compressed pixels: a zlib stream.

    Raises:
        InputError: A chunk is damaged, or the stream is too short for the header.
    """
    parts = [data for kind, data in _chunks(png, name) if kind == b"IDAT"]
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(data) * _MOST_DENSE < header.row_bytes * header.height:
        raise InputError(
            f"{name}: its header says {header.width}x{header.height} pixels; its {len(data):,} bytes cannot hold them."
        )
    return data


def _chunks(png: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    place = _FIRST_CHUNKS
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind, end = png[place + 4 : place + 8], place + 8 + length
        if end + 4 > len(png):
            break
        data = png[place + 8 : end]
        if kind == b"IEND":
            return
        if kind == b"IDAT" and int.from_bytes(png[end : end + 4]) != zlib.crc32(data, zlib.crc32(kind)):
            raise InputError(f"{name}: the chunk of pixels at byte {place:,} is damaged. Get the file again.")
        yield kind, data
        place = end + 4
    raise InputError(f"{name}: this PNG file ends at byte {len(png):,}, before its last chunk. Get the file again.")


def _unfiltered(data: bytes, header: _Header, name: str) -> Levels | None:
    """Return the pixels of a file that filters no row, as writers of palettes do; None for any other file.

    Such pixels need no more than inflating, which takes a third of the time of libpng.
    """
    if header.interlaced or header.bits < _BYTE:
        return None
    stride, inflate = header.row_bytes + 1, zlib.decompressobj()
    try:
        pixels = inflate.decompress(data, min(_LOOK, stride * header.height))
        if any(pixels[::stride]):
            return None
        rest = stride * header.height - len(pixels)
        if rest:
            pixels += inflate.decompress(inflate.unconsumed_tail, rest)
        has_more = bool(inflate.decompress(inflate.unconsumed_tail, 1))  # reads the checksum where there is no more
    except zlib.error as exc:
        raise InputError(f"{name}: its pixels cannot be decompressed: {exc}. Get the file again.") from exc
    if has_more or not inflate.eof or len(pixels) < stride * header.height:
        got = "more" if has_more else f"an end in row {len(pixels) // stride:,}"
        raise InputError(f"{name}: expected {header.height:,} rows of pixels; got {got}. Get the file again.")
    rows = np.frombuffer(pixels, np.uint8).reshape(header.height, stride)
    if rows[:, 0].any():
        return None
    levels = np.ascontiguousarray(rows[:, 1:])
    return levels if header.bits == _BYTE else levels.view(">u2").astype(np.uint16)


def _decoded(data: bytes, header: _Header, name: str) -> npt.NDArray[np.uint8]:
    """Return pixels as libpng decodes them, palettes as grey; its colours are in the order blue, green, red."""
    import cv2

    colour = _RGB if header.colour == _RGB else _GREY
    ihdr = struct.pack(">IIBBBBB", header.width, header.height, header.bits, colour, 0, 0, header.interlaced)
    parts = (_chunk(b"IHDR", ihdr), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    png = np.frombuffer(b"".join((_SIGNATURE, *parts)), np.uint8)
    decoded = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (header.height, header.width):
        raise InputError(f"{name}: its pixels cannot be decoded. Get the file again.")
    return decoded  # type: ignore[return-value]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
