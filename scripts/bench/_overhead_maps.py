"""Maps: what depth, label maps and masks cost once the states of the image tokens are there. A part of overhead.py.

Whole runs of tasks are measured, on an engine that has no network: its states are made up, and its head is a file as
large as the published one's, of which only the rows that are asked for are written. Two kinds of states are measured:
those of a scene, in which every class has areas of its own as in a photograph, and noise, in which every class may be
anywhere.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _overhead import N_VOCAB, Row, timed
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize

import youtu_gguf as yg
from youtu_gguf.facts import BIN_TOKENS, LANGUAGE, N_BINS
from youtu_gguf.gguf.header import Header, TensorInfo
from youtu_gguf.gguf.lm_head import Head
from youtu_gguf.tasks.base import find_tokens
from youtu_gguf.testing import FakeEngine, StatesFn
from youtu_gguf.types import F32, U8, Grid, Size
from youtu_gguf.weights.synthetic.layout import FULL, TINY
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

DIM = LANGUAGE.n_embd
SIZES = (Size(640, 480), Size(1280, 960))
FIRST_BIN, FIRST_WORD = 282_363, 40_000
"""Ids of the first depth bin, as in the published order of tokens, and of the first word of a class name."""
NAMES = tuple(f"class {number}" for number in range(150))
WORDS_PER_NAME = 3
LEAD = 2.0
"""By how much the score of a token's own class is above those of others, where states are a scene's. Ours: with the
published temperature of 0.2 the others then have less than a hundredth of its probability in all, and neighbours of
another class a share at the border."""


class MapEngine(FakeEngine):
    """An engine whose head is read from a file, as the native engine's is."""

    def __init__(self, path: Path, states: StatesFn, answers: Mapping[str, str] | None) -> None:
        super().__init__(answers, states=states, vocabulary=vocabulary())
        self.path = path
        self.forget()

    def forget(self) -> None:
        """Forget all rows that were read."""
        info = TensorInfo("output.weight", (DIM, N_VOCAB), GGMLQuantizationType.Q8_0, 0, N_VOCAB * (DIM // 32 * 34))
        self.head = Head(Header(self.path, info.n_bytes, {}, {}, {info.name: info}))

    def rows(self, ids: Sequence[int]) -> F32:
        """Return rows of the file."""
        return self.head.rows(ids)

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a name: its words are not shared with other names."""
        first = FIRST_WORD + WORDS_PER_NAME * NAMES.index(text)
        return tuple(range(first, first + WORDS_PER_NAME))


def vocabulary() -> dict[str, int]:
    return {token: FIRST_BIN + n for n, token in enumerate(BIN_TOKENS)} | {"<BG>": 20, "<FG>": 21}


def write_head(path: Path) -> F32:
    """Write the rows that are asked for, and leave the rest a hole; return those of the classes, (150, dim)."""
    rng = np.random.default_rng(0)
    spans = ((FIRST_BIN, N_BINS), (FIRST_WORD, WORDS_PER_NAME * len(NAMES)), (20, 2))
    names = np.empty((0, DIM), np.float32)
    with path.open("wb") as file:
        for first, n in spans:
            rows = rng.normal(scale=DIM**-0.5, size=(n, DIM)).astype(np.float32)
            file.seek(first * (DIM // 32 * 34))
            file.write(quantize(rows, GGMLQuantizationType.Q8_0).tobytes())
            if first == FIRST_WORD:
                names = rows.reshape(len(NAMES), WORDS_PER_NAME, DIM).mean(axis=1)
        file.truncate(N_VOCAB * (DIM // 32 * 34))
    return names


def scene_states(names: F32, grid: Grid, n_classes: int) -> F32:
    """Return states in which each class has areas of its own, with noise."""
    rng = np.random.default_rng(1)
    rough = rng.normal(size=(n_classes, *grid)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(layer, (0, 0), max(grid) / 6) for layer in rough])
    shares = (smooth == smooth.max(axis=0)).astype(np.float32)
    size = float((names[:n_classes] ** 2).sum(axis=1).mean())
    hidden = np.einsum("krc,kd->rcd", shares, names[:n_classes]) * (LEAD / size)
    hidden += rng.normal(scale=0.25, size=hidden.shape)
    return np.asarray(hidden, np.float32)


def noise_states(grid: Grid) -> F32:
    """Return states in which any token may belong to any class."""
    return np.random.default_rng(2).normal(size=(*grid, DIM)).astype(np.float32)


def picture(size: Size) -> U8:
    """Return blurred noise: edges of all strengths, in no relation to the states."""
    noise = np.random.default_rng(3).normal(size=(size.height, size.width, 3))
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 5))
    return np.asarray(np.clip(128 + smooth * (50 / smooth.std()), 0, 255), np.uint8)


@contextmanager
def opened(
    head: Path, names: F32, size: Size, kind: str, n: int, answers: Mapping[str, str] | None = None
) -> Iterator[tuple[yg.Scene, MapEngine]]:
    """Open a picture of this size on an engine with states of this kind."""

    @cache
    def states(grid: Grid) -> F32:
        found = noise_states(grid) if kind == "noise" else scene_states(names, grid, n)
        found.setflags(write=False)  # as the native engine's are
        return found

    engine = MapEngine(head, lambda image: states(image.grid), answers)
    with yg.load(engine=engine) as model:
        scene = model.open(picture(size))
        scene.patches()
        yield scene, engine


def rows() -> Iterator[Row]:
    """Measure; all figures are milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head"
        names = write_head(head)
        for size, bar in zip(SIZES, (6.0, 20.0), strict=True):
            yield from depth_rows(head, names, size, bar)
        for size, plain, guided in zip(SIZES, (4.0, None), (12.0, 45.0), strict=True):
            yield from label_rows(head, names, size, plain, guided)
        yield from mask_rows(head, names)
        yield from token_rows(Path(folder))


def depth_rows(head: Path, names: F32, size: Size, bar: float) -> Iterator[Row]:
    with opened(head, names, size, "scene", 20) as (scene, engine):
        wide = f"{size.width}x{size.height}"
        yield timed(f"depth {wide}", scene.depth, bar)
        states = scene.patches().hidden.reshape(-1, DIM)
        bins = engine.rows(range(FIRST_BIN, FIRST_BIN + N_BINS))
        yield timed(f"depth {wide}: of that, states times head rows", lambda: states @ bins.T)

        def first() -> None:
            engine.forget()
            scene.depth()

        if size == SIZES[0]:
            yield timed(f"depth {wide}, first of a model (reads head rows)", first, rounds=10)


def label_rows(head: Path, names: F32, size: Size, plain: float | None, guided: float) -> Iterator[Row]:
    for n, kind in ((20, "scene"), (20, "noise"), (150, "scene"), (150, "noise")):
        rounds = 20 if n == 20 else 5
        with opened(head, names, size, kind, n) as (scene, _):
            title = f"{n} classes, {size.width}x{size.height}, {kind}"
            held = n == 20 and kind == "scene"

            def segment(scene: yg.Scene = scene, n: int = n, **options: Any) -> object:
                return scene.segment(NAMES[:n], present="all", **options)

            for name, bar, options in (
                ("plain", plain, {"refine": "none"}),
                ("guided", guided, {"refine": "guided"}),
                ("with background", None, {"background": True}),
                ("with margins", None, {"refine": "none", "scores": True}),
            ):
                yield timed(f"{title}: {name}", partial(segment, **options), bar if held else None, rounds)


def mask_rows(head: Path, names: F32) -> Iterator[Row]:
    size = SIZES[1]
    answer = "".join(f"<box><x_{x}><y_{y}><x_{x + 200}><y_{y + 300}></box>" for x in (40, 400, 800) for y in (50, 500))
    with opened(head, names, size, "noise", 2, {"": answer}) as (scene, _):
        for refine in ("none", "guided"):
            one = partial(scene.refer, box=(300, 200, 700, 800), refine=refine)
            yield timed(f"one mask of half of {size.width}x{size.height}, its crop included: {refine}", one)
        six = partial(scene.instances, ["thing"], refine="guided")
        yield timed(f"six instances of {size.width}x{size.height}, guided, crops included", six, rounds=5)


def token_rows(folder: Path) -> Iterator[Row]:
    """Look tokens up in the published vocabulary, in which 155,000 have names; the weights are a tiny model's."""
    shape = replace(TINY, name="full-vocabulary", vocabulary=FULL.vocabulary)
    with yg.load(*write_synthetic_pair(folder, shape, variant="named"), n_ctx=512) as model:
        started = time.perf_counter()
        find_tokens(model.engine.vocabulary, BIN_TOKENS, "depth")
        first = 1e3 * (time.perf_counter() - started)
        yield Row("1,000 depth bins looked up, first of a model", first, first)
        yield timed("1,000 depth bins looked up again", lambda: find_tokens(model.engine.vocabulary, BIN_TOKENS, "d"))
        fresh = iter(range(1_000_000))

        def other_names() -> None:
            model.engine.vocabulary.tokenize_all([f"thing {next(fresh)} of a kind" for _ in range(20)])

        yield timed("20 class names tokenised, others each time", other_names)
        names = [f"kind {letter}" for letter in "abcdefghijklmnopqrst"]
        yield timed("20 class names tokenised again", lambda: model.engine.vocabulary.tokenize_all(names))
