"""Backgrounds of the drawn scenes: seven kinds of stuff as RGB, and the noise from which they are made.

All randomness comes from the generator that is passed in, except the noise sheets. Those are made once from a fixed
seed, and a scene takes a random window of them, because new noise for every pixel would cost more than the rest of the
scene.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Rng = np.random.Generator

FRAME_PX = 3

_SHEET = 768  # side of a noise sheet, in px: twice the largest image
_TABLE = 64  # side of the table of per-brick, per-tile brightness


@lru_cache(maxsize=8)
def _noise_sheet(sigma: float) -> F32:
    """(768, 768) normal noise blurred by `sigma` px, mean 0, deviation 1."""
    sheet = np.random.default_rng(int(sigma * 10) + 1).standard_normal((_SHEET, _SHEET)).astype(np.float32)
    if sigma > 0:
        sheet = np.asarray(cv2.GaussianBlur(sheet, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
    return np.ascontiguousarray((sheet - sheet.mean()) / sheet.std(), dtype=np.float32)


@lru_cache(maxsize=1)
def _sensor_sheet() -> F32:
    return np.random.default_rng(99).standard_normal((_SHEET, _SHEET, 3)).astype(np.float32)


@lru_cache(maxsize=1)
def _blade_sheet() -> F32:
    """(768, 768) short bright and dark strokes, mostly upright, about -1..1."""
    rng = np.random.default_rng(5)
    sheet = np.zeros((_SHEET, _SHEET), np.float32)
    for _ in range(26000):
        x, y = rng.integers(0, _SHEET, 2)
        lean, length = rng.normal(0, 3), rng.uniform(5, 13)
        cv2.line(sheet, (int(x), int(y)), (int(x + lean), int(y - length)), float(rng.normal(0, 0.7)), 1, cv2.LINE_8)
    return sheet


def _window(sheet: F32, rng: Rng, height: int, width: int) -> F32:
    y, x = int(rng.integers(0, sheet.shape[0] - height + 1)), int(rng.integers(0, sheet.shape[1] - width + 1))
    window = sheet[y : y + height, x : x + width]
    return window[:, ::-1] if rng.random() < 0.5 else window


def noise(rng: Rng, height: int, width: int, sigma: float) -> F32:
    """(height, width) noise of mean 0 and deviation 1, smooth over `sigma` px."""
    return _window(_noise_sheet(sigma), rng, height, width)


def sensor_noise(rng: Rng, height: int, width: int) -> F32:
    """(height, width, 3) white noise of deviation 1."""
    return _window(_sensor_sheet(), rng, height, width)


def draw_frame(rng: Rng, rgb: NDArray[np.uint8]) -> None:
    """Draw the thin dark frame of drawn images on one (H, W, 3): see `scenes`."""
    border = np.clip(np.array((40, 36, 34)) + rng.normal(0, 4, 3), 0, 255).astype(np.uint8)
    for strip in (np.s_[:FRAME_PX], np.s_[-FRAME_PX:], np.s_[:, :FRAME_PX], np.s_[:, -FRAME_PX:]):
        rgb[strip] = border


def _tint(value: F32, colour: F32) -> F32:
    """Colour times (1 + value), (H, W, 3), for an (H, W) brightness."""
    return np.asarray(cv2.merge([(value + 1) * float(c) for c in colour]), dtype=np.float32)


def _mix(rng: Rng, colours: tuple[tuple[int, int, int], ...], jitter: float) -> F32:
    """One of the colours, or a blend of two, each channel jittered and the whole made lighter or darker."""
    first, second = rng.integers(0, len(colours), 2)
    share = rng.random()
    blend = share * np.array(colours[first]) + (1 - share) * np.array(colours[second])
    return np.asarray((blend + rng.normal(0, jitter, 3)) * rng.uniform(0.85, 1.12), dtype=np.float32)


def _rows_below(height: int, gap: int) -> F32:
    """(height, 1): distance in px of each ground row from the vanishing row; the first row lies `gap` px below it."""
    return (np.arange(height, dtype=np.float32) + gap)[:, None]


_SKIES = (
    ((70, 130, 215), (175, 210, 240)),
    ((40, 90, 180), (140, 185, 230)),
    ((120, 165, 220), (225, 235, 245)),
    ((135, 145, 158), (205, 210, 216)),
    ((95, 80, 130), (250, 150, 120)),
    ((60, 90, 150), (238, 180, 185)),
)


def sky(rng: Rng, height: int, width: int) -> F32:
    """A gradient of one of six weathers, with or without clouds."""
    top, bottom = _SKIES[int(rng.integers(0, len(_SKIES)))]
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None] ** np.float32(rng.uniform(0.7, 1.5))
    colours = np.array(top) + ramp * (np.array(bottom) - np.array(top)) + rng.normal(0, 8, 3)
    image = np.repeat(colours[:, None, :].astype(np.float32), width, axis=1)
    if rng.random() < 0.6:
        cloud = noise(rng, height, width, 20.0) + 0.4 * noise(rng, height, width, 6.0)
        cover = np.clip((cloud - np.float32(rng.uniform(0.0, 1.0))) * 0.7, 0, np.float32(rng.uniform(0.4, 0.85)))[
            ..., None
        ]
        image += cover * (np.float32(rng.uniform(215, 250)) - image)
    return image


def grass(rng: Rng, height: int, width: int, _gap: int) -> F32:
    """Green noise with blades that grow towards the viewer."""
    ramp = np.clip(_rows_below(height, 0) / 90, 0.15, 1).astype(np.float32)
    scale = rng.uniform(1.0, 2.0)
    blades = _window(_blade_sheet(), rng, int(height / scale) + 1, int(width / scale) + 1)
    blades = np.asarray(cv2.resize(blades, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    value = noise(rng, height, width, 1.0) * 0.07 + noise(rng, height, width, 20.0) * 0.08
    value = value + blades * ramp * np.float32(rng.uniform(0.22, 0.4))
    return _tint(value, _mix(rng, ((88, 128, 48), (70, 112, 40), (112, 140, 62), (96, 124, 70)), 6))


def sand(rng: Rng, height: int, width: int, gap: int) -> F32:
    """Fine tan noise with ripples that get closer in the distance."""
    rows = _rows_below(height, gap)
    phase = np.log(rows) * np.float32(rng.uniform(18, 34))
    ripples = np.sin(phase + noise(rng, height, width, 20.0) * np.float32(rng.uniform(1.2, 2.4)))
    value = ripples * np.float32(rng.uniform(0.03, 0.08)) + noise(rng, height, width, 0.0) * np.float32(0.045)
    value = value + noise(rng, height, width, 6.0) * np.float32(0.02)
    return _tint(value, _mix(rng, ((212, 184, 136), (198, 170, 122), (222, 200, 158), (190, 158, 116)), 5))


def brick_wall(rng: Rng, height: int, width: int, gap: int) -> F32:
    """Rows of offset bricks, 0.45 × `gap` px high: the nearer the wall, the larger the brick."""
    tall = 0.45 * gap
    wide = tall * rng.uniform(2.1, 2.6)
    mortar = max(1.2, tall * rng.uniform(0.11, 0.17))
    above = height - np.arange(height, dtype=np.float32)[:, None] - 0.5
    row = np.floor(above / tall)
    along = (
        np.arange(width, dtype=np.float32)[None, :] + np.float32(rng.uniform(0, 100)) + (row % 2) * np.float32(wide / 2)
    )
    column = np.floor(along / wide)
    edge = np.minimum(above - row * tall, along - column * wide)
    joint = np.clip((mortar - edge).astype(np.float32) + 0.5, 0, 1)[..., None]
    table = rng.normal(0, rng.uniform(0.06, 0.13), (_TABLE, _TABLE)).astype(np.float32)
    value = table[row.astype(np.intp) % _TABLE, column.astype(np.intp) % _TABLE]
    value = value + noise(rng, height, width, 1.0) * np.float32(0.05)
    bricks = _tint(value, _mix(rng, ((160, 76, 56), (142, 62, 48), (176, 98, 70), (128, 72, 60)), 5))
    grout = np.float32(rng.uniform(150, 205)) * np.array([1.0, 0.97, 0.92], np.float32)
    return np.asarray(bricks + joint * (grout - bricks), dtype=np.float32)


_WOODS = ((168, 122, 74), (140, 94, 54), (190, 150, 100), (112, 76, 48), (178, 130, 92))


def wood_wall(rng: Rng, height: int, width: int, gap: int) -> F32:
    """Upright planks, 0.6 × `gap` px wide: the nearer the wall, the wider the plank."""
    wide = 0.6 * gap
    along = np.arange(width, dtype=np.float32) + np.float32(rng.uniform(0, 100))
    plank = np.floor(along / wide).astype(np.intp)
    table = rng.normal(0, rng.uniform(0.05, 0.11), _TABLE).astype(np.float32)
    edge = along - plank * wide
    joint = np.clip(max(1.3, wide * 0.08) - edge + 0.5, 0, 1).astype(np.float32)
    grain = cv2.resize(noise(rng, height // 8 + 2, width, 1.0), (width, height), interpolation=cv2.INTER_LINEAR)
    value = grain * np.float32(rng.uniform(0.04, 0.09)) + noise(rng, height, width, 1.0) * np.float32(0.02)
    value = (1 + value + table[plank % _TABLE][None]) * (1 - joint[None] * np.float32(rng.uniform(0.5, 0.7))) - 1
    return _tint(np.asarray(value, dtype=np.float32), _mix(rng, _WOODS, 5))


def _floor_grid(
    rng: Rng, height: int, width: int, gap: int, scale: float, wide: float, deep: float, stagger: bool
) -> tuple[F32, F32, F32, F32]:
    """A floor cut into pieces of equal size, seen in perspective.

    Args:
        rng: Source of the phases and of the pieces' brightness.
        height: Rows of floor.
        width: Columns.
        gap: The first row's distance from the vanishing row, in px.
        scale: Depth in metres times px below the vanishing row.
        wide: Width of a piece in px at 200 px below the vanishing row.
        deep: Length of a piece in metres.
        stagger: Shift each column of pieces by its own amount.

    Returns:
        (H, W) arrays: darkness of the joints 0..1, brightness of each piece, and the coordinates across and away in
        pieces.
    """
    rows = _rows_below(height, gap)
    columns = np.arange(width, dtype=np.float32)[None, :] - np.float32(width * rng.uniform(0.3, 0.7))
    piece = rows * np.float32(wide / 200)
    across = columns / piece + np.float32(40 + rng.random())
    depth = (scale / deep) / rows + np.float32(rng.random())
    column = np.floor(across)
    lane = column.astype(np.intp) % _TABLE
    table = rng.normal(0, 1, (_TABLE, _TABLE)).astype(np.float32)
    away = depth + table[0, lane] if stagger else np.broadcast_to(depth, across.shape) + np.float32(0)
    away = away + np.float32(8)
    row = np.floor(away)
    length = rows * rows * np.float32(deep / scale)  # px per piece at this row
    side = (across - column) * piece
    end = (away - row) * length
    thick = 1.0 + rows / 150
    fade = np.clip(length / 5 - 0.4, 0, 1)
    joint = np.maximum(np.clip(thick - side, 0, 1) * np.clip(piece / 5 - 0.4, 0, 1), np.clip(thick - end, 0, 1) * fade)
    value = table[row.astype(np.intp) % _TABLE, lane]
    return joint.astype(np.float32), value, across.astype(np.float32), away.astype(np.float32)


def wood_floor(rng: Rng, height: int, width: int, gap: int) -> F32:
    """Planks that run away from the viewer to one point, with staggered ends."""
    joint, piece, across, away = _floor_grid(
        rng, height, width, gap, GROUND_SCALE["wood floor"], rng.uniform(38, 60), rng.uniform(0.8, 1.2), stagger=True
    )
    grain = cv2.remap(_noise_sheet(1.0), (across * 14) % (_SHEET - 2), (away * 30) % (_SHEET - 2), cv2.INTER_LINEAR)
    value = piece * np.float32(rng.uniform(0.06, 0.12)) + grain * np.float32(rng.uniform(0.04, 0.07))
    value = (1 + value) * (1 - joint * np.float32(rng.uniform(0.45, 0.65))) - 1
    return _tint(np.asarray(value, dtype=np.float32), _mix(rng, _WOODS, 5))


def stone_floor(rng: Rng, height: int, width: int, gap: int) -> F32:
    """Grey tiles in perspective, their rows at equal distances."""
    joint, piece, _, _ = _floor_grid(
        rng, height, width, gap, GROUND_SCALE["stone floor"], rng.uniform(60, 95), rng.uniform(0.3, 0.45), stagger=False
    )
    value = piece * np.float32(rng.uniform(0.03, 0.08)) + noise(rng, height, width, 1.0) * np.float32(0.035)
    value = value + noise(rng, height, width, 6.0) * np.float32(0.03)
    tone = rng.uniform(-0.55, -0.35) if rng.random() < 0.7 else rng.uniform(0.25, 0.4)
    value = (1 + value) * (1 + joint * np.float32(tone)) - 1
    return _tint(np.asarray(value, dtype=np.float32), _mix(rng, ((150, 150, 152), (128, 130, 136), (168, 165, 160)), 4))


GROUND_SCALE = {"grass": 1600.0, "sand": 450.0, "stone floor": 200.0, "wood floor": 100.0}
"""Depth in metres times px below the vanishing row, through a lens of 2,000 px: the only cue of absolute size."""

WALLS = {"brick wall": brick_wall, "wood wall": wood_wall}
GROUNDS = {"grass": grass, "sand": sand, "wood floor": wood_floor, "stone floor": stone_floor}
