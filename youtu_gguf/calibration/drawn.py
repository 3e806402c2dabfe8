"""Images whose layout is known to the pixel, drawn here: a sky over grass or sand, and large simple things on it.

Things cover whole image tokens as far as their outline allows, so that their left and right borders fall between two
tokens. Every image has a thin dark frame, which the small model in this package needs and which does not disturb
others.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.types import F32, I32, U8, Grid, Size, checked

GRID = Grid(8, 10)
"""Of every image: at full size two processor cores read one in about five seconds."""

NAMES = ("sky", "grass", "sand", "square", "circle", "star")
"""What is in the drawn images; all are asked for in each, so that a thing can be mistaken for another."""

_COLOURS = {"red": (205, 40, 38), "blue": (40, 80, 210), "yellow": (242, 210, 40), "white": (238, 238, 236)}
_GROUNDS = {"grass": (88, 126, 50), "sand": (208, 180, 132)}
_SKY = (np.array((70, 130, 215)), np.array((175, 210, 240)))
_FRAME, _FRAME_PX = (40, 36, 34), 3
_BLUR_PX, _NOISE = 1.0, 4.0  # edges no sharper, and areas no plainer, than a camera's
_HALF = 128  # of full cover, 255
_SHIFT = 4  # cv2 reads coordinates in sixteenths of a pixel


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image and what is where in it.

    Args:
        name: Short, for reports.
        rgb: (H, W, 3) uint8; sides are multiples of an image token's, so that it is shown as it is.
        names: Class names to ask for.
        labels: (H, W) int32 index into `names`, -1 where unknown.
        outlines: Whether `labels` are right to the pixel everywhere, so that refinements can be compared with them.
    """

    name: str
    rgb: U8
    names: tuple[str, ...]
    labels: I32
    outlines: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb", checked("rgb", self.rgb, (None, None, 3), np.uint8))
        object.__setattr__(self, "labels", checked("labels", self.labels, self.rgb.shape[:2], np.int32))

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.rgb.shape[1], self.rgb.shape[0])


@dataclass(frozen=True)
class _Thing:
    """A thing in a square of `side` image tokens whose top left one is at `row`, `column`."""

    kind: str
    colour: str
    row: int
    column: int
    side: int


@dataclass(frozen=True)
class _Layout:
    """Ground, the row of image tokens where it begins, and things."""

    ground: str
    horizon: int
    things: tuple[_Thing, ...]


_LAYOUTS = (
    _Layout("grass", 3, (_Thing("square", "red", 3, 1, 3), _Thing("circle", "yellow", 4, 6, 3))),
    _Layout("sand", 3, (_Thing("star", "blue", 3, 1, 4), _Thing("square", "white", 4, 6, 3))),
    _Layout("grass", 4, (_Thing("circle", "white", 2, 1, 4), _Thing("square", "blue", 5, 6, 2))),
    _Layout("sand", 2, (_Thing("square", "blue", 2, 1, 3), _Thing("circle", "red", 4, 5, 3))),
)


def draw_images() -> tuple[LabelledImage, ...]:
    """Return eight images: four layouts, each also mirrored from left to right."""
    return tuple(
        _draw(f"drawn {2 * n + 1 + mirrored}", 2 * n + mirrored, layout, mirrored=bool(mirrored))
        for n, layout in enumerate(_LAYOUTS)
        for mirrored in (0, 1)
    )


def _draw(name: str, seed: int, layout: _Layout, *, mirrored: bool) -> LabelledImage:
    rng = np.random.default_rng(seed)
    height, width = GRID.rows * TOKEN_PX, GRID.cols * TOKEN_PX
    edge = layout.horizon * TOKEN_PX
    rgb = np.concatenate([_sky(rng, edge, width), _ground(rng, layout.ground, height - edge, width)])
    labels = np.full((height, width), NAMES.index(layout.ground), np.int32)
    labels[:edge] = NAMES.index("sky")
    for thing in layout.things:
        column = GRID.cols - thing.column - thing.side if mirrored else thing.column
        _place(rng, rgb, labels, thing, column)
    soft = cv2.GaussianBlur(rgb, (0, 0), _BLUR_PX) + rng.normal(0, _NOISE, rgb.shape)
    image = np.clip(soft, 0, 255).astype(np.uint8)
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), _FRAME, 2 * _FRAME_PX - 1)
    return LabelledImage(name, image, NAMES, labels)


def _sky(rng: np.random.Generator, height: int, width: int) -> F32:
    top, bottom = _SKY
    ramp = np.linspace(0, 1, height)[:, None, None]
    clear = np.repeat(top + ramp * (bottom - top), width, axis=1).astype(np.float32)
    cloud = np.clip(_noise(rng, height, width, 18) - 0.5, 0, 0.8)[..., None]
    return np.asarray(clear + cloud * (np.float32(235) - clear), np.float32)


def _ground(rng: np.random.Generator, kind: str, height: int, width: int) -> F32:
    fine = _blades(rng, height, width) if kind == "grass" else _ripples(rng, height, width)
    light = 1 + fine + 0.05 * _noise(rng, height, width, 18)
    return np.asarray(light[..., None] * np.array(_GROUNDS[kind]), np.float32)


def _blades(rng: np.random.Generator, height: int, width: int) -> F32:
    """Short, mostly upright strokes, longer towards the viewer."""
    sheet = np.zeros((height, width), np.float32)
    for _ in range(height * width // 22):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        length = rng.uniform(5, 12) * (0.4 + 0.8 * y / height)
        cv2.line(sheet, (x, y), (int(x + rng.normal(0, 3)), int(y - length)), rng.normal(0, 0.22), 1)
    return sheet + 0.07 * _noise(rng, height, width, 1)


def _ripples(rng: np.random.Generator, height: int, width: int) -> F32:
    """Ripples that crowd together in the distance, on fine grain."""
    phase = 26 * np.log(np.arange(height, dtype=np.float32) + 16)[:, None] + 1.8 * _noise(rng, height, width, 18)
    return np.asarray(0.05 * np.sin(phase) + rng.normal(0, 0.045, (height, width)), np.float32)


def _noise(rng: np.random.Generator, height: int, width: int, smooth_px: float) -> F32:
    """Noise of mean 0 and deviation 1, smooth over `smooth_px`."""
    values = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), smooth_px)
    return np.asarray((values - values.mean()) / values.std(), np.float32)


def _place(rng: np.random.Generator, rgb: F32, labels: I32, thing: _Thing, column: int) -> None:
    """Paint a thing, softly shaded, with a shadow on the ground below it."""
    side = thing.side * TOKEN_PX
    top, left = thing.row * TOKEN_PX, column * TOKEN_PX
    points = (_outline(thing.kind) * side / 2 + side / 2 + (left, top)) - 0.5
    cover = np.zeros(labels.shape, np.uint8)
    cv2.fillPoly(cover, [np.round(points * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
    shadow = np.zeros(labels.shape, np.float32)
    foot, middle = min(top + side, labels.shape[0] - 1), left + side // 2
    cv2.ellipse(shadow, (middle, foot), (int(side * 0.6), max(4, side // 9)), 0, 0, 360, 0.35, -1)
    shadow[labels == NAMES.index("sky")] = 0
    rgb *= 1 - cv2.GaussianBlur(shadow, (0, 0), 3)[..., None]
    light = 1 + np.linspace(-0.1, 0.1, rgb.shape[1])[None, :, None] * rng.choice((-1, 1))
    light = light + 0.05 * _noise(rng, labels.shape[0], labels.shape[1], 5)[..., None]
    alpha = (cover / np.float32(255))[..., None]
    rgb += alpha * (light * np.array(_COLOURS[thing.colour]) - rgb).astype(np.float32)
    labels[cover > _HALF] = NAMES.index(thing.kind)


def _outline(kind: str) -> F32:
    """Return corners from -1 to 1, y downwards."""
    if kind == "square":
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
    n_corners, reach = (48, np.ones(48)) if kind == "circle" else (10, np.where(np.arange(10) % 2, 0.44, 1.0))
    turns = np.arange(n_corners) * 2 * np.pi / n_corners
    points = np.stack([np.sin(turns) * reach, -np.cos(turns) * reach], 1)
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray((points - low) / (high - low) * 2 - 1, np.float32)
