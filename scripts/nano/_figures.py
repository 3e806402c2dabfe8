"""The things in a drawn scene: shapes, a stick person and a sign, each as a small patch with its outline.

A figure does not depend on the scene; it is cut to its own box and can be placed anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.nano.glyphs import tight_ink

F32 = NDArray[np.float32]
Lettering = Literal["opencv", "own"]
"""Whose letters are on signs: OpenCV's, which its versions draw differently, or those of `glyphs`."""
Rng = np.random.Generator

SHAPES = ("circle", "square", "triangle", "star", "cross")
_RGB = {
    "red": (208, 36, 36),
    "green": (30, 160, 62),
    "blue": (38, 82, 214),
    "yellow": (244, 212, 36),
    "purple": (142, 48, 172),
    "white": (240, 240, 238),
}
_SHIFT = 4  # cv2 reads coordinates in sixteenths of a px
_PAD = 4


@dataclass(frozen=True)
class Figure:
    """A thing, cut to its box.

    Args:
        kind: One of the scene's things.
        colour: Its colour's name.
        rgb: (h, w, 3) float32, 0..255.
        alpha: (h, w) float32, 0..1; a px belongs to the thing where this is at least 0.5.
        digits: Text on a sign, else empty.
        plate: x1, y1, x2, y2 of a sign's plate, else None.
        joints: (16, 2) px in MPII order for a person, else None.
    """

    kind: str
    colour: str
    rgb: F32
    alpha: F32
    digits: str = ""
    plate: tuple[int, int, int, int] | None = None
    joints: F32 | None = None


def draw_figure(rng: Rng, kind: str, colour: str, most: int, edged: bool, lettering: Lettering = "opencv") -> Figure:
    """One figure no taller than `most` px, with a dark edge where the caller needs one and by chance elsewhere."""
    edged = bool(rng.random() < 0.5) or edged
    if kind == "person":
        return _person(rng, colour, most, edged)
    return _sign(rng, colour, edged, lettering) if kind == "sign" else _shape(rng, kind, colour, edged)


def _paint_colour(rng: Rng, colour: str) -> F32:
    jittered = np.array(_RGB[colour]) * rng.uniform(0.9, 1.06) + rng.normal(0, 6, 3)
    if colour == "white":
        jittered = np.array(_RGB[colour]) * rng.uniform(0.93, 1.04) + rng.normal(0, 2, 3)
    return np.clip(jittered, 0, 255).astype(np.float32)


def _shaded(rng: Rng, height: int, width: int, colour: F32) -> F32:
    """(height, width, 3) of the colour under a mild gradient of light."""
    across, down = rng.uniform(-0.14, 0.14, 2)
    light = 1 + down * np.linspace(-1, 1, height)[:, None] + across * np.linspace(-1, 1, width)[None]
    return np.asarray(light[..., None] * colour, dtype=np.float32)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Convert px whose centres lie at halves to cv2's fixed point, whose centres lie at whole numbers."""
    return np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _cut(
    rgb: F32, alpha: NDArray[np.uint8], kind: str, colour: str, joints: NDArray[np.float64] | None = None
) -> Figure:
    """The figure cut to the box of its solid px, so that its height is the visible height."""
    solid = alpha >= 128
    ys, xs = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    y1, y2, x1, x2 = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    moved = None if joints is None else (joints - (x1, y1)).astype(np.float32)
    opaque = np.asarray(alpha[y1:y2, x1:x2] / 255, dtype=np.float32)
    return Figure(kind, colour, rgb[y1:y2, x1:x2], opaque, joints=moved)


def _unit_polygon(rng: Rng, kind: str) -> NDArray[np.float64]:
    """Corners in -1..1, y downwards."""
    if kind == "circle":
        turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        return np.stack([np.cos(turns), np.sin(turns)], 1)
    if kind == "square":
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], float)
    if kind == "triangle":
        return np.array([(0, -1), (1, 1), (-1, 1)], float)
    if kind == "star":
        turns = np.arange(10) * np.pi / 5
        reach = np.where(np.arange(10) % 2, rng.uniform(0.4, 0.48), 1.0)
        star = np.stack([np.sin(turns) * reach, -np.cos(turns) * reach], 1)
        low, high = star.min(0), star.max(0)
        return np.asarray((star - low) / (high - low) * 2 - 1, dtype=np.float64)
    a = rng.uniform(0.3, 0.4)
    across = [-a, a, a, 1, 1, a, a, -a, -a, -1, -1, -a]
    down = [-1, -1, -a, -a, a, a, 1, 1, a, a, -a, -a]
    return np.stack([across, down], 1)


def _shape(rng: Rng, kind: str, colour: str, edged: bool) -> Figure:
    tall = rng.uniform(46, 124)
    wide = tall * (rng.uniform(0.94, 1.06) if kind == "circle" else rng.uniform(0.82, 1.22))
    turn = np.deg2rad(rng.uniform(-8, 8))
    points = _unit_polygon(rng, kind) * (wide / 2, tall / 2)
    points = points @ np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    points *= min(1.0, 129 / np.ptp(points[:, 1]))
    points += _PAD - points.min(0)
    width, height = (int(v) + _PAD + 1 for v in points.max(0))
    fill = _paint_colour(rng, colour)
    rgb = _shaded(rng, height, width, fill)
    alpha = np.zeros((height, width), np.uint8)
    corners = [_fixed(points)]
    cv2.fillPoly(alpha, corners, 255, cv2.LINE_AA, _SHIFT)
    if edged:
        dark = [float(v) for v in fill * rng.uniform(0.35, 0.6)]
        cv2.polylines(rgb, corners, True, dark, int(rng.integers(4, 7)), cv2.LINE_8, _SHIFT)
    return _cut(rgb, alpha, kind, colour)


def _pose(rng: Rng) -> NDArray[np.float64]:
    """(16, 2) joints of a standing person who faces the viewer, in heights, y downwards, the thorax at (0, 0)."""
    shoulder, hip = rng.uniform(0.095, 0.115), rng.uniform(0.055, 0.07)
    waist = rng.uniform(0.28, 0.33)
    arms, legs = [_arm(rng), _arm(rng)], [_leg(rng), _leg(rng)]
    if rng.random() < 0.4:
        arms[1] = (arms[0][0] + rng.normal(0, 4), arms[0][1] + rng.normal(0, 4))
    if rng.random() < 0.4:
        legs[1] = legs[0]
    joints = np.zeros((16, 2))
    joints[6], joints[7], joints[8] = (0, waist), (0, 0), (0, -0.05)
    joints[9] = (rng.normal(0, 0.008), -0.05 - rng.uniform(0.15, 0.17))
    for side, arm, leg in ((-1, (12, 11, 10), (2, 1, 0)), (1, (13, 14, 15), (3, 4, 5))):
        which = (side + 1) // 2
        joints[arm[0]], joints[leg[0]] = (side * shoulder, 0.005), (side * hip, waist)
        for chain, angles, lengths in ((arm, arms[which], (0.16, 0.155)), (leg, legs[which], (0.225, 0.225))):
            for step in range(2):
                turn = np.deg2rad(angles[step])
                reach = np.array((side * np.sin(turn), np.cos(turn))) * lengths[step]
                joints[chain[step + 1]] = joints[chain[step]] + reach
    return joints


def _arm(rng: Rng) -> tuple[float, float]:
    """Angles of the upper and lower arm: 0 hangs down, 90 points outwards, 180 straight up."""
    upper = rng.uniform(15, 165)
    bend = rng.uniform(-25, 100) if rng.random() < 0.6 else rng.uniform(-8, 8)
    return upper, float(np.clip(upper + bend, 5, 185))


def _leg(rng: Rng) -> tuple[float, float]:
    thigh = rng.uniform(5, 34)
    bend = rng.uniform(-38, -8) if rng.random() < 0.5 else rng.uniform(-5, 5)
    return thigh, float(max(thigh + bend, -12))


_BONES = (
    (0, 1),
    (1, 2),
    (3, 4),
    (4, 5),
    (10, 11),
    (11, 12),
    (13, 14),
    (14, 15),
    (7, 8),
    (12, 13),
    (2, 3),
    (2, 12),
    (3, 13),
)


def _person(rng: Rng, colour: str, most: int, edged: bool) -> Figure:
    pose = _pose(rng)
    limb, head = rng.uniform(0.07, 0.09), rng.uniform(0.075, 0.088)
    extent = np.ptp(pose[:, 1]) + limb * 0.75
    tall = min(rng.uniform(104, 183), most)
    joints = pose * (tall / extent)
    thick, radius = max(6.0, limb * tall), head * tall
    joints += _PAD + thick - joints.min(0)
    width, height = (int(v + thick) + _PAD + 2 for v in joints.max(0))
    fill = _paint_colour(rng, colour)
    rgb = _shaded(rng, height, width, fill)
    alpha = np.zeros((height, width), np.uint8)
    _draw_body(alpha, joints, thick, radius)
    if edged:
        inner = np.zeros_like(alpha)
        _draw_body(inner, joints, thick - 3.6, radius - 1.8)
        dark = rng.uniform(0.35, 0.6)
        light = dark + (1 - dark) * (inner.astype(np.float32) / 255)
        rgb = np.asarray(rgb * light[..., None], dtype=np.float32)
    return _cut(rgb, alpha, "person", colour, joints)


def _draw_body(alpha: NDArray[np.uint8], joints: NDArray[np.float64], thick: float, radius: float) -> None:
    fixed = _fixed(joints)
    cv2.fillPoly(alpha, [fixed[[2, 3, 13, 12]]], 255, cv2.LINE_AA, _SHIFT)
    for start, end in _BONES:
        cv2.line(alpha, fixed[start].tolist(), fixed[end].tolist(), 255, max(2, round(thick)), cv2.LINE_AA, _SHIFT)
    down = (joints[8] - joints[9]) / np.linalg.norm(joints[8] - joints[9])
    middle = _fixed(joints[9] + down * max(radius, 1))
    cv2.circle(alpha, middle.tolist(), round(radius * (1 << _SHIFT)), 255, -1, cv2.LINE_AA, _SHIFT)


_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)


def _ink(rng: Rng, digits: str, tall: float, lettering: Lettering) -> F32:
    """The digits cut to their ink, `tall` px high, 0..1. cv2 5 draws these fonts as outlines and ignores thickness."""
    canvas = np.zeros((120, 220), np.uint8)
    which, thick = int(rng.integers(0, 3)), int(rng.integers(2, 5))
    if lettering == "own":
        return tight_ink(digits, round(tall), weight=which % 2)
    font = _FONTS[which]
    cv2.putText(canvas, digits, (20, 90), font, tall / 22, 255, thick, cv2.LINE_AA)
    ys, xs = np.flatnonzero(canvas.any(1)), np.flatnonzero(canvas.any(0))
    ink = canvas[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
    size = (round(ink.shape[1] * tall / ink.shape[0]), round(tall))
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), dtype=np.float32) / np.float32(255)


def _sign(rng: Rng, colour: str, edged: bool, lettering: Lettering) -> Figure:
    digits = f"{int(rng.integers(10, 100))}"
    ink = _ink(rng, digits, rng.uniform(26, 40), lettering)
    tall = int(np.clip(ink.shape[0] + rng.integers(12, 22), 40, 64))
    wide = int(np.clip(ink.shape[1] + rng.integers(12, 24), 56, 96))
    height, post = tall + int(rng.integers(18, 46)), int(rng.integers(5, 9))
    fill = _paint_colour(rng, colour)
    rgb = _shaded(rng, height, wide, fill)
    alpha = np.zeros((height, wide), np.float32)
    left = (wide - post) // 2
    rgb[tall:, left : left + post] = np.float32(rng.uniform(60, 130))
    alpha[tall:, left : left + post] = 1
    alpha[:tall] = 1
    dark = rng.uniform(10, 50, 3).astype(np.float32)
    if edged:
        cv2.rectangle(rgb, (1, 1), (wide - 2, tall - 2), [float(v) for v in dark], 2)
    y = (tall - ink.shape[0]) // 2
    x = (wide - ink.shape[1]) // 2
    area = rgb[y : y + ink.shape[0], x : x + ink.shape[1]]
    area += ink[..., None] * (dark - area)
    return Figure("sign", colour, rgb, alpha, digits, (0, 0, wide, tall))
