#!/usr/bin/env python3
"""Opens thousands of hostile images: no program may be started, no other file read, and no error raised but ours.

python scripts/soak/hostile_images.py --images 2000

They are files of every format that Pillow writes, and of some that it hands to other programs: whole, cut short, with
bytes changed, with sizes that are not true, glued together, and bombs. Each is opened from its bytes, from a file of
another name, or as an image that Pillow has opened and not yet read. The process watches itself by Python's audit
events.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.images.load import load

MOST_MB, MOST_S = 2600, 20
"""Peak memory and time for one image: 200 megapixels of RGB take 1.4 GB, those of the slowest decoder more."""

PROGRAMS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
"""Audit events of programs and processes that are started."""

HARMLESS = (
    sys.prefix,
    sys.base_prefix,
    str(Path(np.__file__).parents[1]),
    "/proc",
    "/sys",
    "/etc",
    "/usr/share/zoneinfo",
)
"""Where files are that Python and the check of free memory open."""

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F")
EXTREME = (
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\x27\x10",
    b"\x10\x27\0\0",
    b"\x80\0\0\0",
)
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 100\n%%EndComments\n(/etc/passwd) (r) file\nshowpage\n%%EOF\n"
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
FOREIGN = {
    "eps": POSTSCRIPT,
    "eps of DOS": struct.pack("<IIIIIIIH", 0xC6D3D0C5, 32, len(POSTSCRIPT), 0, 0, 0, 0, 0xFFFF).ljust(32) + POSTSCRIPT,
    "ps": POSTSCRIPT.replace(b" EPSF-3.0", b""),
    "pdf": b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n",
    "wmf": b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hHIH", 0, 0, 100, 50, 72, 0, 0) + b"\1\0\t\0\0\3" + bytes(80),
    "emf": b"\1\0\0\0" + struct.pack("<I4i4i", 108, 0, 0, 100, 50, 0, 0, 2540, 1270) + b" EMF" + bytes(80),
    "fpx": OLE,
    "bufr": b"BUFR" + bytes(60),
    "grib": b"GRIB\0\0\0\1" + bytes(60),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(60),
    "mpeg": b"\0\0\1\xb3\x14\0\xf0" + bytes(60),
    "fits": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + bytes(2720),
    "xpm": b'/* XPM */\nstatic char *a[] = {\n"2 1 2 1",\n"a c #ff0000",\n"b c #00ff00",\n"ab"\n};\n',
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "fli": struct.pack("<IHHHHHH", 200, 0xAF12, 2, 64, 64, 8, 3) + bytes(180),
    "pcd": bytes(2048) + b"PCD_" + bytes(3000),
    "gbr": struct.pack(">5I", 28, 2, 60000, 60000, 1) + b"GIMP" + struct.pack(">I", 10) + bytes(99),
    "html": b"<!DOCTYPE html><html></html>",
    "nothing": b"",
}
"""Files, or beginnings of files, of formats that are not read, by what they are."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, *more: bytes, rows: int = 0) -> bytes:
    """Return a PNG of a size that it claims, with the first `rows` of it."""
    row = bytes(1 + width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] // 8 + 1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, int, int]]) -> bytes:
    """Return a TIFF of tags alone: type, count and value by number."""
    entries = b"".join(struct.pack("<HHII", tag, *rest) for tag, rest in sorted(tags.items()))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 8)


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield small files of what would be large images, or take long."""
    size = {256: (4, 1, 60000), 257: (4, 1, 60000), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    strips = {**size, 256: (4, 1, 10000), 257: (4, 1, 10000), 273: (4, 1, 8), 278: (4, 1, 10000), 279: (4, 1, 10**8)}
    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF7, 0, 0) + bytes(768)
    yield from {
        "png of 2.5 gigapixels": png(50_000, 50_000, 8, 2, rows=10),
        "png of 64 bits a pixel": png(14_000, 14_000, 16, 6, rows=3),
        "png of one row": png(2**31 - 1, 1, 1, 0),
        "tiff of 3.6 gigapixels": tiff(size),
        "tiff of strips that are not there": tiff(strips),
        "tiff packed as deflate": tiff({**strips, 259: (3, 1, 8)}),
        "tiff packed as lzw": tiff({**strips, 259: (3, 1, 5), 258: (3, 1, 32), 339: (3, 1, 3)}),
        "tiff with endless tags": tiff({**size, 270: (2, 2**32 - 1, 8), 34675: (7, 2**31, 8)}),
        "gif of a screen": gif + b";",
        "gif of many frames": gif + (b"," + struct.pack("<4HB", 0, 0, 9, 9, 0) + b"\2\0") * 9999,
        "bmp of 4 gigapixels": b"BM" + struct.pack("<4I2i2HI20x", 99, 0, 54, 40, 65535, -65535, 1, 24, 0),
        "bmp in runs": b"BM" + struct.pack("<4I2i2HI20x", 99, 0, 54, 40, 14000, 14000, 1, 8, 1) + b"\xff\0" * 99,
        "ppm": b"P6 99999999 99999999 255\n",
        "ppm of text": b"P3 13000 13000 255\n" + b"1 " * 999,
        "pam of digits": b"P6 " + b"9" * 100_000,
        "webp": b"RIFF\x22\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff\xff\xff" * 2 + b"VP8 \0\0\0\0",
        "tga in runs": struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 14000, 14000, 24, 0) + b"\xff\1\2\3" * 99,
        "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3) + bytes(40),
        "qoi": b"qoif" + struct.pack(">IIBB", 14000, 14000, 4, 0) + b"\xfd" * 999,
        "ico": struct.pack("<3H4B2H2I", 0, 1, 1, 0, 0, 0, 0, 1, 32, 9999, 22) + png(13_000, 13_000, 8, 6, rows=2),
        "dds": b"DDS " + struct.pack("<5I56x2I4s100x", 124, 0x1007, 30000, 30000, 0, 32, 4, b"DXT1"),
        "jpeg 2000": b"\xff\x4f\xff\x51\0\x2f\0\0" + struct.pack(">2I8x2I8xH", *(65000,) * 4, 3) + b"\7\1\1" * 3,
        "jpeg": b"\xff\xd8\xff\xc2\0\x11\x08\xff\xff\xff\xff\3\1\x22\0\2\x11\1\3\x11\1\xff\xda" + bytes(99),
    }.items()  # fmt: skip
    yield "png of 196 megapixels", png(14_000, 14_000, 1, 0, rows=14_000)
    for kind in (b"zTXt", b"iCCP"):
        yield (
            f"png with {kind.decode()}",
            png(8, 8, 8, 0, chunk(kind, b"a\0\0" + zlib.compress(bytes(1 << 26))), rows=8),
        )


@contextlib.contextmanager
def silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def written(rng: random.Random, modes: Sequence[str]) -> dict[str, bytes]:
    """Return a small image of every mode in every format and packing that Pillow writes."""
    Image.init()
    pixels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    pixels[10:30, 10:50] = (200, 30, 60)
    found: dict[str, bytes] = {}
    for mode in modes:
        try:
            image = Image.fromarray(pixels).convert({"LA": "RGBA", "I;16": "L", "F": "L", "I": "L"}.get(mode, mode))
            image = image.convert(mode)
        except ValueError:
            continue
        for format_ in sorted(Image.SAVE):
            packings: tuple[dict[str, Any], ...] = ({},)
            if format_ == "TIFF":
                # Pillow 11 aborts where it packs palettes as JPEG
                packed = ["tiff_lzw", "tiff_deflate", "packbits", *(["jpeg"] if mode in ("L", "RGB", "CMYK") else ())]
                packings += tuple({"compression": c} for c in (*packed, *(["group4"] if mode == "1" else ())))
            if format_ in ("GIF", "WEBP", "PNG", "TIFF", "MPO"):
                packings += ({"save_all": True, "append_images": [image] * 2},)
            if format_ == "JPEG":
                packings += (
                    {"progressive": True},
                    {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"},
                )
            for i, options in enumerate(packings):
                buffer = io.BytesIO()
                with silent(), contextlib.suppress(OSError, ValueError, KeyError, SystemError, TypeError, RuntimeError):
                    image.save(buffer, format_, **options)
                    found[f"{format_} {mode} {i}"] = buffer.getvalue()
    return found


def damage(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Return `data` in one of many damaged forms."""
    if not data:
        return data
    changed = bytearray(data)
    kind = rng.randrange(8)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        for _ in range(rng.choice((1, 3, 20))):
            changed[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 2:  # sizes stand in the header
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(min(len(data), 120))
            changed[at : at + 4] = rng.choice(EXTREME)
    elif kind == 3:
        at = rng.randrange(len(data))
        changed[at:at] = data[at : at + rng.randrange(2000)] * rng.randint(1, 20)
    elif kind == 4:
        at = rng.randrange(len(data))
        del changed[at : at + rng.randint(1, 200)]
    elif kind == 5:
        other = rng.choice(others)
        return data[: rng.randrange(len(data))] + other[rng.randrange(len(other) + 1) :]
    elif kind == 6:
        changed[: rng.randint(1, 16)] = rng.choice(others)[:16]
    return bytes(changed)


def images(n: int, seed: int, modes: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield `n` images with what they are: each foreign file and each bomb once, and damaged files among them."""
    rng = random.Random(seed)
    whole = written(rng, modes)
    special = itertools.chain(FOREIGN.items(), bombs())
    others = [*whole.values(), *FOREIGN.values()]
    for i in range(n):
        if i % 2 == 0 and (one := next(special, None)) is not None:
            yield one
        elif i % 10 == 1:
            name = rng.choice(sorted(FOREIGN))
            yield f"damaged {name}", damage(FOREIGN[name], others, rng)
        else:
            name = rng.choice(sorted(whole))
            yield f"damaged {name}", damage(whole[name], others, rng)


class Watch:
    """What happens in this process while an image is opened that must not."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._allowed: str | None = None
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def over(self, path: Path) -> Iterator[None]:
        """Watch a `with` block, in which `path` may be opened."""
        self._allowed = str(path)
        try:
            yield
        finally:
            self._allowed = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._allowed is None:
            return
        if event in PROGRAMS:
            self.faults.append(f"{event} {arguments[:2]}")
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            name = os.fsdecode(arguments[0])
            if name != self._allowed and not name.startswith(HARMLESS) and not name.endswith((".py", ".pyc", ".so")):
                self.faults.append(f"open {name}")


def openers(path: Path, data: bytes) -> tuple[Callable[[], object], ...]:
    """Return the ways to hand over the image that lies at `path`."""
    return lambda: data, lambda: path, lambda: Image.open(path)


def outcome(give: Callable[[], object], path: Path, watch: Watch) -> str:
    """Open the image and return how that ended; what is no `YoutuError` begins with "FAULT"."""
    with silent():
        try:
            image = give()
        except Exception:  # noqa: BLE001 - Pillow's
            return "Pillow refuses it"
    try:
        with watch.over(path):
            load(image)  # type: ignore[arg-type]
    except yg.YoutuError as exc:
        return type(exc).__name__
    except Exception as exc:  # noqa: BLE001 - what is looked for
        return f"FAULT {type(exc).__name__}: {exc}"
    finally:
        if isinstance(image, Image.Image):
            image.close()
    return "read"


def run(
    n: int, seed: int, folder: Path, modes: Sequence[str] = MODES
) -> tuple[Counter[str], list[str], tuple[float, str]]:
    """Open `n` images.

    Returns:
        How often each outcome occurred, what must not have happened, and the longest time for one image in
        seconds, with what it is.
    """
    rng, watch = random.Random(seed), Watch()
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    longest = (0.0, "")
    for i, (what, data) in enumerate(images(n, seed, modes)):
        path = folder / f"image{rng.choice(('.jpg', '.png', '.eps', '.tif', '.dat', ''))}"
        path.write_bytes(data)
        began = time.perf_counter()
        ended = outcome(rng.choice(openers(path, data)), path, watch)
        longest = max(longest, (time.perf_counter() - began, what))
        outcomes[ended.partition(":")[0]] += 1
        faults += [f"image {i}, {what}: {fault}" for fault in watch.faults]
        if ended.startswith("FAULT"):
            faults.append(f"image {i}, {what}: {ended}")
        watch.faults.clear()
        path.unlink()
    return outcomes, faults, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, faults, (seconds, what) = run(args.images, args.seed, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for ended, times in outcomes.most_common():
        print(f"{times:6} {ended}")
    print(f"peak memory {peak:.0f} MB (at most {MOST_MB}); longest time {seconds:.1f} s (at most {MOST_S}), {what}")
    print("\n".join(faults) or "no program started, no other file read, no error but ours")
    sys.exit(bool(faults) or peak > MOST_MB or seconds > MOST_S)


if __name__ == "__main__":
    main()
