"""Opening an image, beside Pillow's decoding alone, and reopening one that is known, from memory and from disk."""

from __future__ import annotations

import ctypes
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from _overhead import Row, timed
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.engines.native.cache import ByteCache, PrefixStates, StateFiles
from youtu_gguf.engines.native.llama import handles
from youtu_gguf.engines.native.llama.handles import LlamaContext
from youtu_gguf.images import load as images
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import U8

PHOTOGRAPH = (4000, 3000)
"""12 megapixels, a telephone's camera."""

N_TOKENS, N_EMBD, CACHE_BYTES = 300, 2_560, 46_080
"""Image tokens of a 640x480 image; the width of the published model's states, and bytes of its cache per token."""


def rows() -> Iterator[Row]:
    """Yield the figures."""
    large, small = photograph(*PHOTOGRAPH), photograph(640, 480)
    with tempfile.TemporaryDirectory() as folder:
        for name, rgb, kind, rounds, bar in (
            ("opening a 12-megapixel JPEG, beside decoding it", large, "JPEG", 9, 1.25),
            ("opening a 12-megapixel PNG, beside decoding it", large, "PNG", 3, None),
            ("opening a 640x480 JPEG, beside decoding it", small, "JPEG", 30, None),
        ):
            path = Path(folder, f"image.{kind.lower()}")
            path.write_bytes(encoded(rgb, kind))
            yield beside(name, opening(path), decoding(path), rounds, bar)
        prepared, _ = images.prepare(large, 2048)
        yield timed("its digest, 1600x1216", lambda: type(prepared)(prepared.rgb).digest)
        yield from reopening(Path(folder))


def photograph(width: int, height: int) -> U8:
    """Return random structure of all sizes, and the noise of a sensor."""
    import cv2

    random = np.random.default_rng(0)
    rgb = np.full((height, width, 3), 128, np.float32)
    for cell, contrast in ((512, 60), (64, 30), (8, 12), (2, 5)):
        shape = (height // cell + 2, width // cell + 2, 3)
        coarse = random.normal(0, contrast, shape).astype(np.float32)
        rgb += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    rgb += random.normal(0, 2, rgb.shape).astype(np.float32)
    return rgb.clip(0, 255).astype(np.uint8)


def encoded(rgb: U8, kind: str) -> bytes:
    """Return an image file; a JPEG has the size of a good camera's."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, kind, **({"quality": 92} if kind == "JPEG" else {"compress_level": 1}))
    return buffer.getvalue()


def opening(path: Path) -> Callable[[], object]:
    """Return what a caller does: open the file, and with it what the native engine makes its keys of."""
    model = yg.load(engine=FakeEngine())

    def opened() -> str:
        with model.open(path) as scene:
            return scene.session().prefix.image().digest

    return opened


def decoding(path: Path) -> Callable[[], object]:
    """Return what Pillow does by itself."""

    def decoded() -> None:
        with Image.open(path) as image:
            image.load()

    return decoded


def beside(name: str, work: Callable[[], object], other: Callable[[], object], rounds: int, bar: float | None) -> Row:
    """Return how many times as long as `other` `work` takes, in alternate rounds: of medians, and of the shortest."""
    took: dict[Callable[[], object], list[float]] = {work: [], other: []}
    work(), other()
    for _ in range(rounds):
        for each, times in took.items():
            started = time.perf_counter()
            each()
            times.append(time.perf_counter() - started)
    median, least = (gather(took[work]) / gather(took[other]) for gather in (statistics.median, min))
    return Row(f"{name} ({1e3 * statistics.median(took[other]):.0f} ms)", median, least, bar, "x")


def reopening(folder: Path) -> Iterator[Row]:
    """Yield what it takes to have a prefix of 300 tokens in llama.cpp's cache again.

    The real `LlamaContext.restore` is called; what llama.cpp does in it is copying the bytes into its cells.
    """
    random = np.random.default_rng(0)
    states = PrefixStates(
        random.normal(size=(1 + N_TOKENS, N_EMBD)).astype(np.float32), random.bytes(N_TOKENS * CACHE_BYTES)
    )
    files = StateFiles(folder, 1 << 30, "model")
    memory: ByteCache[PrefixStates] = ByteCache(1 << 30)
    memory.put("image", states)
    cells = ctypes.create_string_buffer(states.nbytes)
    llama = SimpleNamespace(llama_state_seq_set_data=lambda _, data, size, __: ctypes.memmove(cells, data, size))
    context = LlamaContext.__new__(LlamaContext)
    context.handle = None

    def reopened(found: PrefixStates | None) -> None:
        assert found is not None
        assert context.restore(1, found.cache)

    yield timed("keeping 300 tokens on disk", lambda: files.put("image", states))
    with patch.object(handles, "lib", llama):
        yield timed("reopening from disk, 300 tokens", lambda: reopened(files.get("image")), 12.0)
        yield timed("reopening from memory, 300 tokens", lambda: reopened(memory.get("image")))
