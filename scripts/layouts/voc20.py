"""Drawn scenes in the layout of PASCAL VOC 2012: things with a border, and all else background."""

from __future__ import annotations

from pathlib import Path

from scripts.layouts._label_maps import (
    levels_of,
    numbers_of,
    save_image,
    save_list,
    save_palette_map,
    scenes,
    with_borders,
)
from youtu_gguf.evaluate.data.class_lists import VOC20
from youtu_gguf.evaluate.data.label_maps import VOC20_NUMBERS
from youtu_gguf.evaluate.data.numbering import NONE

AS = {
    "circle": "bottle", "square": "bus", "triangle": "boat", "star": "bird", "cross": "aeroplane", "person": "person",
    "sign": "tv monitor",
}  # fmt: skip
"""The class of PASCAL VOC whose number each thing takes."""


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images, their maps and their list below `folder`.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    levels = numbers_of(AS, VOC20, VOC20_NUMBERS)
    names = []
    for number, scene in scenes(n, seed):
        names.append(f"2007_{number:06d}")
        save_image(scene, folder / "JPEGImages" / f"{names[-1]}.jpg")
        maps = with_borders(scene, levels_of(scene, levels, 0), NONE)
        save_palette_map(maps, folder / "SegmentationClass" / f"{names[-1]}.png")
    save_list(names, folder / "ImageSets" / "Segmentation" / "val.txt")
