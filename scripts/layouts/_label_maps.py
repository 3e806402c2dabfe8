"""Drawn scenes with a class for every pixel, for the layouts of several data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from scripts.nano.scenes import CLASSES, TEST_SEEDS, Scene, draw
from youtu_gguf.evaluate.data.numbering import Numbering
from youtu_gguf.types import U8

_JPEG_QUALITY = 95


def scenes(n: int, seed: int) -> Iterator[tuple[int, Scene]]:
    """Yield `n` numbered scenes; other seeds give other scenes."""
    for number in range(n):
        yield number, draw(TEST_SEEDS + seed * 1_000_000 + number)


def levels_of(scene: Scene, levels: Mapping[str, int], rest: int) -> U8:
    """Return (H, W) the level of each pixel's class; classes without one get `rest`."""
    table = np.array([levels.get(name, rest) for name in CLASSES], np.uint8)
    found: U8 = table[scene.labels]
    return found


def numbers_of(names: Mapping[str, str], classes: Sequence[str], numbering: Numbering) -> dict[str, int]:
    """Return the level of each class of the scenes, which takes that of one of the data set's classes.

    Args:
        names: The class of the data set for each class of the scenes.
        classes: The classes of the data set.
        numbering: The levels of these.
    """
    return {ours: numbering.of_classes[classes.index(theirs)] for ours, theirs in names.items()}


def with_borders(scene: Scene, maps: U8, border: int) -> U8:
    """Return `maps` with a border of 3 px around each thing, as PASCAL VOC has."""
    kernel = np.ones((3, 3), np.uint8)
    edges = np.zeros(maps.shape, bool)
    for thing in scene.things:
        edges |= cv2.morphologyEx(thing.mask.astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0
    return np.where(edges, np.uint8(border), maps)


def save_image(scene: Scene, path: Path) -> None:
    """Write the image, as JPEG or PNG by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.rgb).save(path, quality=_JPEG_QUALITY)


def save_map(levels: U8, path: Path) -> None:
    """Write a label map as a grey PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)


def save_palette_map(levels: U8, path: Path) -> None:
    """Write a label map as a PNG file with the palette of PASCAL VOC: the bits of a level, spread over its colour."""
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel)) & 1).astype(np.uint8) << (7 - bit)
    height, width = levels.shape
    image = Image.frombytes("P", (width, height), levels.tobytes())
    image.putpalette(palette.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def save_list(names: list[str], path: Path) -> None:
    """Write the names of a split's images, one in each line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
