"""Training data from drawn scenes: prepared pixels, targets on grids, tokenised lessons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scripts.nano.answers import frame_of
from scripts.nano.lessons import Lesson, after_image, lessons, pose_lesson
from scripts.nano.outlines import OUTLINE_POINTS, outline
from scripts.nano.scenes import COLOURS, THINGS, Scene, draw
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.decode.resample import axis_taps
from youtu_gguf.facts import DEPTH_SCALES, N_BINS
from youtu_gguf.images.crop import make_crop
from youtu_gguf.images.load import prepare

TOKEN_PX, LABEL_PX, DEPTH_PX = 32, 8, 16
FIT_PX, FIT_ROUNDS, FIT_BINS, FIT_STEP, FIT_SHARE = 4, 12, 20.0, 1.2, 0.5
"""How depth bins are fitted: px per sample, rounds, error in bins above which an error counts less, step, and the least
weight of valid samples for a valid cell."""
MAX_THINGS = 5
N_POINTS = 4 + 2 * OUTLINE_POINTS + 32 + 2
"""Points stored for a thing: its box, outline, joints, and the middle of its box."""
MAX_TOKENS = 2048
SIGNS_SHARE = 0.15
"""Share of scenes that are full of signs: reading needs more examples than any other task. With more of them, every
phrase would mean a sign."""
CORE_SIZES = (160, 256)
MAX_CORE_TOKENS, CROPS_PER_SHARD = 96, 24
GRIDS = tuple((r, c) for r in range(7, 12) for c in range(7, 12) if r * c <= 100 and 2 * max(r, c) <= 3 * min(r, c))
"""Rows and columns of image tokens for which scenes are drawn."""
GRID_WEIGHTS = np.array([(rows * cols) ** -2.0 for rows, cols in GRIDS])
GRID_WEIGHTS /= GRID_WEIGHTS.sum()
"""How often each grid is drawn: small ones more often, since a training step on them costs less."""

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


class Taught(NamedTuple):
    """A tokenised lesson."""

    task: str
    question: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass
class Shard:
    """Scenes of one grid.

    Attributes:
        rgb: (n, H, W, 3).
        labels: (n, H / 8, W / 8) classes; in a core shard 1 = target, 0 = not.
        bins: (n, H / 16, W / 16) depth bins 1..1000, 0 = invalid; empty in a core shard.
        owner: (n, H / 32, W / 32) index of the thing that fills most of a token, -1 = none.
        centre: (n, H / 32, W / 32) True at the token of its owner that lies nearest to the owner's middle.
        points: (n, MAX_THINGS, N_POINTS) pixels of the prepared image; NaN = does not exist.
        kinds: (n, MAX_THINGS, 4) kind, colour, first and second digit; 0 = none, so kinds count from 1.
        taught: Lessons of each scene.
    """

    rows: int
    cols: int
    core: bool
    rgb: U8
    labels: U8
    bins: npt.NDArray[np.uint16]
    owner: npt.NDArray[np.int8]
    centre: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float32]
    kinds: U8
    taught: list[list[Taught]] = field(default_factory=list)


def teach(tokenizer: Tokenizer, lesson: Lesson) -> Taught:
    """Tokenise a lesson: the text that follows the image, and the answer with its end token."""
    before = (token for part in after_image(lesson) for token in tokenizer.encode(part))
    return Taught(lesson.task, tuple(before), (*tokenizer.encode(lesson.answer), tokenizer.id("<|end_of_text|>")))


def make_shard(seeds: Sequence[int], grid: tuple[int, int], tokenizer: Tokenizer) -> Shard:
    """Draw scenes whose prepared images have this grid."""
    rows, cols = grid
    items = []
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        width, height = (TOKEN_PX * n - int(rng.integers(0, TOKEN_PX)) for n in (cols, rows))
        cast = _signs(rng) if rng.random() < SIGNS_SHARE else None
        scene = draw(seed, (width, height), cast=cast)
        prepared, _ = prepare(scene.rgb, MAX_TOKENS)
        assert prepared.rgb.shape == (rows * TOKEN_PX, cols * TOKEN_PX, 3), (prepared.rgb.shape, grid)
        items.append((prepared.rgb, *_targets(scene, rows, cols), _taught(scene, rows, cols, rng, tokenizer)))
    rgb, labels, bins, owner, centre, points, kinds, taught = zip(*items, strict=True)
    return Shard(
        rows, cols, False, np.stack(rgb), np.stack(labels), np.stack(bins), np.stack(owner), np.stack(centre),
        np.stack(points), np.stack(kinds), list(taught),
    )  # fmt: skip


def _signs(rng: np.random.Generator) -> list[tuple[str, str]]:
    cast = [("sign", ("white", "yellow")[int(rng.integers(2))]) for _ in range(int(rng.integers(2, 5)))]
    return [*cast, (THINGS[int(rng.integers(5))], COLOURS[int(rng.integers(len(COLOURS)))])]


class CoreCrops:
    """Crops of things, collected by grid until a grid has enough for a shard."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, int], list[tuple[U8, U8]]] = {}

    def add(self, seed: int) -> Iterator[Shard]:
        """Draw a scene and add the crops of its things; yield the shards that become full."""
        scene, rng = draw(seed), np.random.default_rng([seed, 2])
        for thing in scene.things:
            low, high = CORE_SIZES
            crop, mask = core_example(scene, thing.mask, thing.box, int(rng.integers(low, high + 1)), rng)
            prepared, _ = prepare(crop, MAX_TOKENS)
            rows, cols = prepared.rgb.shape[0] // TOKEN_PX, prepared.rgb.shape[1] // TOKEN_PX
            if rows * cols > MAX_CORE_TOKENS:
                continue
            small = cv2.resize(mask, (cols * TOKEN_PX, rows * TOKEN_PX), interpolation=cv2.INTER_NEAREST)
            group = self._groups.setdefault((rows, cols), [])
            group.append((prepared.rgb, _sample(small, LABEL_PX)))
            if len(group) == CROPS_PER_SHARD:
                yield _core_shard(rows, cols, self._groups.pop((rows, cols)))


def _core_shard(rows: int, cols: int, crops: Sequence[tuple[U8, U8]]) -> Shard:
    rgb, labels = (np.stack(part) for part in zip(*crops, strict=True))
    n = len(crops)
    return Shard(
        rows, cols, True, rgb, labels, np.zeros((n, 0, 0), np.uint16), np.full((n, rows, cols), -1, np.int8),
        np.zeros((n, rows, cols), np.bool_), np.full((n, MAX_THINGS, N_POINTS), np.nan, np.float32),
        np.zeros((n, MAX_THINGS, 4), np.uint8), [[] for _ in crops],
    )  # fmt: skip


def core_example(
    scene: Scene,
    mask: npt.NDArray[np.bool_],
    box: tuple[float, float, float, float],
    crop_size: int,
    rng: np.random.Generator,
) -> tuple[U8, U8]:
    """Return the crop of a thing and its mask in the crop; the box is shifted at random by up to 6 % of its sides."""
    side = np.tile([box[2] - box[0], box[3] - box[1]], 2)
    shaken = np.asarray(box) + rng.normal(0, 0.03, 4).clip(-0.06, 0.06) * side * (rng.random() < 0.7)
    crop, region = make_crop(scene.rgb, shaken.tolist(), crop_size=crop_size)
    part = mask[region.top : region.bottom, region.left : region.right].astype(np.uint8)
    in_crop: Any = cv2.resize(part, crop.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return crop, in_crop


def depth_to_bins(depth: F32) -> F32:
    """Return bins 1..1000 of the open scale (docs/facts.md) for metres, 0 where the depth is 0."""
    scale = DEPTH_SCALES["open"]
    t = np.log(np.maximum(depth, scale.near_m) / scale.near_m) / np.log(scale.far_m / scale.near_m)
    return np.where(depth > 0, 1 + (N_BINS - 1) * t.clip(0, 1), 0).astype(np.float32)


def bins_on_grid(depth: F32) -> F32:
    """Return the bins on cells of 16 px that are nearest to the true ones after the decoder's resizing.

    The median of each cell would turn every edge into a ramp as wide as a cell. Cells that no valid pixel uses are 0.
    """
    true = depth_to_bins(depth[FIT_PX // 2 :: FIT_PX, FIT_PX // 2 :: FIT_PX])
    valid = (true > 0).astype(np.float32)
    down, across = (_resizing(n // DEPTH_PX, n // FIT_PX) for n in depth.shape)
    share = down.T @ valid @ across
    bins = np.divide(down.T @ true @ across, share, out=np.zeros_like(share), where=share > 0)
    for _ in range(FIT_ROUNDS):
        error = down @ bins @ across.T - true
        weight = valid / np.hypot(error, FIT_BINS)
        bins -= FIT_STEP * (down.T @ (weight * error) @ across) / np.maximum(down.T @ weight @ across, 1e-4)
    return np.where(share > FIT_SHARE, bins.clip(1, N_BINS), 0).astype(np.float32)


@cache
def _resizing(n_in: int, n_out: int) -> F32:
    """Return the (n_out, n_in) matrix that resizes like the decoder."""
    taps = axis_taps(n_in, n_out)
    matrix = np.zeros((n_out, n_in), np.float32)
    matrix[np.arange(n_out), taps.low] += 1 - taps.weight
    matrix[np.arange(n_out), taps.high] += taps.weight
    return matrix


def _sample(array: Any, px: int) -> Any:
    """Return the value in the middle of every cell of px x px pixels."""
    return np.ascontiguousarray(array[px // 2 :: px, px // 2 :: px])


def _targets(scene: Scene, rows: int, cols: int) -> tuple[npt.NDArray[np.generic], ...]:
    size = (cols * TOKEN_PX, rows * TOKEN_PX)
    labels = _sample(cv2.resize(scene.labels, size, interpolation=cv2.INTER_NEAREST), LABEL_PX)
    depth: Any = cv2.resize(scene.depth, size, interpolation=cv2.INTER_NEAREST)
    bins = bins_on_grid(depth)
    owner, centre = _owners(scene, rows, cols)
    frame = frame_of(scene, *size)
    points = np.full((MAX_THINGS, N_POINTS), np.nan, np.float32)
    kinds = np.zeros((MAX_THINGS, 4), np.uint8)
    scale = np.array([frame.across, frame.down], np.float32)
    for i, thing in enumerate(scene.things):
        box = np.array(thing.box, np.float32).reshape(2, 2)
        points[i, :4] = (box * scale).ravel()
        points[i, 4:-34] = (outline(thing.mask) * scale).ravel()
        if thing.joints is not None:
            points[i, -34:-2] = (thing.joints[:, :2] * scale).ravel()
        points[i, -2:] = box.mean(axis=0) * scale
        kinds[i, :2] = 1 + THINGS.index(thing.kind), 1 + COLOURS.index(thing.colour)
        if thing.digits:
            kinds[i, 2:] = 1 + int(thing.digits[0]), 1 + int(thing.digits[1])
    return labels, np.rint(bins).astype(np.uint16), owner, centre, points, kinds


def _owners(scene: Scene, rows: int, cols: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    owner = np.full((rows, cols), -1, np.int8)
    centre = np.zeros((rows, cols), np.bool_)
    best = np.full((rows, cols), 0.2, np.float32)  # a thing that fills less of a token does not own it
    shares = []
    for i, thing in enumerate(scene.things):
        share = cv2.resize(thing.mask.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
        owner[share > best] = i
        best = np.maximum(best, share)
        shares.append(share)
    row, col = np.indices((rows, cols)) + 0.5
    for i, thing in enumerate(scene.things):
        x = (thing.box[0] + thing.box[2]) / 2 * cols / scene.labels.shape[1]
        y = (thing.box[1] + thing.box[3]) / 2 * rows / scene.labels.shape[0]
        away = np.hypot(row - y, col - x)
        if not (owner == i).any():
            owner[np.unravel_index(shares[i].argmax(), owner.shape)] = i
        away[owner != i] = np.inf
        centre[np.unravel_index(away.argmin(), away.shape)] = True
    return owner, centre


def _taught(scene: Scene, rows: int, cols: int, rng: np.random.Generator, tokenizer: Tokenizer) -> list[Taught]:
    frame = frame_of(scene, cols * TOKEN_PX, rows * TOKEN_PX)
    found = [teach(tokenizer, lesson) for lesson in lessons(scene, frame, rng)]
    pose = pose_lesson(scene, frame)
    return [*found, teach(tokenizer, pose)] if pose else found
