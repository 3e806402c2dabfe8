"""What image tokens of a drawn scene are taught: classes, depth bins, and which thing lies where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scripts.nano.answers import Frame, frame_of
from scripts.nano.outlines import OUTLINE_POINTS, outline
from scripts.nano.scenes import COLOURS, THINGS, Scene
from youtu_gguf.decode.resample import axis_taps
from youtu_gguf.facts import DEPTH_SCALES, N_BINS

TOKEN_PX, LABEL_PX, DEPTH_PX, LETTER_PX = 32, 8, 16, 16
MAX_THINGS = 10
N_POINTS = 4 + 2 * OUTLINE_POINTS + 32 + 2
"""Numbers stored for a thing: its box, outline, joints, and the middle of its box."""
JOINTS_FROM = 4 + 2 * OUTLINE_POINTS
FIT_PX, FIT_ROUNDS, FIT_BINS, FIT_STEP, FIT_SHARE = 4, 12, 20.0, 1.2, 0.5
"""How depth bins are fitted: px per sample, rounds, error in bins above which an error counts less, step, and the least
weight of valid samples for a valid cell."""
LEAST_OWNED = 0.2
"""Share of a token that a thing must fill to own it."""

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


class Targets(NamedTuple):
    """What is taught about an image; the arrays of one image in a `Shard`."""

    labels: U8
    bins: npt.NDArray[np.uint16]
    owner: npt.NDArray[np.int8]
    centre: npt.NDArray[np.bool_]
    points: F32
    kinds: U8


def scene_targets(scene: Scene, rows: int, cols: int, scale: float = 1.0) -> Targets:
    """Return what is taught about a scene that was enlarged to a grid.

    Enlarging by `scale` makes the lens so many times as long, and what the model says are distances through one lens:
    they are `scale` times as short (`youtu_gguf.decode.depth`).
    """
    size = (cols * TOKEN_PX, rows * TOKEN_PX)
    labels = sampled(cv2.resize(scene.labels, size, interpolation=cv2.INTER_NEAREST), LABEL_PX)
    depth: Any = cv2.resize(scene.depth, size, interpolation=cv2.INTER_NEAREST)
    bins = np.rint(bins_on_grid(depth / np.float32(scale))).astype(np.uint16)
    frame = frame_of(scene, *size)
    points = np.full((MAX_THINGS, N_POINTS), np.nan, np.float32)
    kinds = np.zeros((MAX_THINGS, 4), np.uint8)
    ratio = np.array([frame.across, frame.down], np.float32)
    for i, thing in enumerate(scene.things):
        _place(points[i], np.array(thing.box, np.float32).reshape(2, 2) * ratio, outline(thing.mask) * ratio)
        if thing.joints is not None:
            points[i, JOINTS_FROM : JOINTS_FROM + 32] = (thing.joints[:, :2] * ratio).ravel()
        kinds[i, :2] = 1 + THINGS.index(thing.kind), 1 + COLOURS.index(thing.colour)
        if thing.digits:
            kinds[i, 2:] = 1 + int(thing.digits[0]), 1 + int(thing.digits[1])
    masks = [thing.mask for thing in scene.things]
    return Targets(labels, bins, *_owners(masks, [thing.box for thing in scene.things], rows, cols), points, kinds)


def box_targets(
    boxes: Sequence[Sequence[float]], telling: Sequence[Sequence[float]], frame: Frame, rows: int, cols: int
) -> Targets:
    """Return what is taught about an image of boxes x1, y1, x2, y2; no maps.

    Each box owns tokens where its `telling` part is, which lies behind those that follow. Tokens elsewhere in a box own
    nothing: the inside of a window is most of a screen, and its title would be nearly all that tokens learn to name.
    """
    ratio = np.array([frame.across, frame.down], np.float32)
    points = np.full((MAX_THINGS, N_POINTS), np.nan, np.float32)
    size = round(frame.height / frame.down), round(frame.width / frame.across)
    masks: list[npt.NDArray[np.bool_]] = []
    for i, (xyxy, part) in enumerate(zip(boxes, telling, strict=True)):
        x1, y1, x2, y2 = xyxy
        around = [((x1 + x2) / 2, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
        _place(points[i], np.array(xyxy, np.float32).reshape(2, 2) * ratio, _along(around) * ratio)
        mask = np.zeros(size, np.bool_)
        x1, y1, x2, y2 = part
        mask[round(y1) : round(y2), round(x1) : round(x2)] = True
        masks = [other & ~mask for other in masks] + [mask]
    labels, bins = np.empty((0, 0), np.uint8), np.empty((0, 0), np.uint16)
    return Targets(labels, bins, *_owners(masks, boxes, rows, cols), points, np.zeros((MAX_THINGS, 4), np.uint8))


def _along(corners: Sequence[tuple[float, float]]) -> F32:
    """Return the points of an outline, equally far apart on a closed line through corners."""
    closed = np.array([*corners, corners[0]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    places = np.arange(OUTLINE_POINTS) * along[-1] / OUTLINE_POINTS
    return np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def _place(row: F32, box: F32, around: F32) -> None:
    row[:4] = box.ravel()
    row[4:JOINTS_FROM] = around.ravel()
    row[-2:] = box.mean(axis=0)


def sampled(array: Any, px: int) -> Any:
    """Return the value in the middle of every cell of px x px pixels."""
    return np.ascontiguousarray(array[px // 2 :: px, px // 2 :: px])


def _owners(
    masks: Sequence[npt.NDArray[np.bool_]], boxes: Sequence[Sequence[float]], rows: int, cols: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    owner = np.full((rows, cols), -1, np.int8)
    centre = np.zeros((rows, cols), np.bool_)
    best = np.full((rows, cols), LEAST_OWNED, np.float32)
    shares = []
    for i, mask in enumerate(masks):
        share = cv2.resize(mask.astype(np.float32), (cols, rows), interpolation=cv2.INTER_AREA)
        owner[share > best] = i
        best = np.maximum(best, share)
        shares.append(share)
    row, col = np.indices((rows, cols)) + 0.5
    for i, (mask, (x1, y1, x2, y2)) in enumerate(zip(masks, boxes, strict=True)):
        x, y = (x1 + x2) / 2 * cols / mask.shape[1], (y1 + y2) / 2 * rows / mask.shape[0]
        away = np.hypot(row - y, col - x)
        if not (owner == i).any():
            owner[np.unravel_index(shares[i].argmax(), owner.shape)] = i
        away[owner != i] = np.inf
        centre[np.unravel_index(away.argmin(), away.shape)] = True
    return owner, centre


def numbered(owner: npt.NDArray[np.int8], kinds: U8) -> U8:
    """Return which one of its kind a thing is, in the order in which an image's tokens see the end of each.

    Args:
        owner: (H / 32, W / 32): see `shards.Shard`.
        kinds: (MAX_THINGS, 4): likewise.

    Returns:
        (H / 32, W / 32) numbers from 1 in the last row of tokens that a thing owns; 0 elsewhere and on signs, whose
        tokens name the digits written on them.
    """
    numbers, flat = np.zeros(owner.size, np.uint8), owner.ravel()
    ends = {int(i): int(np.flatnonzero(flat == i)[-1]) for i in np.unique(flat[flat >= 0])}
    seen: Counter[int] = Counter()
    for thing, end in sorted(ends.items(), key=lambda item: item[1]):
        kind, _, digit, _ = kinds[thing]
        if kind and not digit:
            seen[int(kind)] += 1
            row = slice(end - end % owner.shape[1], end + 1)
            numbers[row][flat[row] == thing] = seen[int(kind)]
    return numbers.reshape(owner.shape)


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
