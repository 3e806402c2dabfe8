"""Drawn scenes in the layout of PASCAL Context, as MMSegmentation converts it."""

from __future__ import annotations

from pathlib import Path

from scripts.layouts._label_maps import levels_of, numbers_of, save_image, save_list, save_map, scenes
from youtu_gguf.evaluate.data.class_lists import CONTEXT59
from youtu_gguf.evaluate.data.label_maps import CONTEXT59_NUMBERS

AS = {
    "sky": "sky", "grass": "grass", "sand": "ground", "brick wall": "wall", "wood wall": "wood", "wood floor": "floor",
    "stone floor": "rock", "circle": "plate", "square": "bag", "triangle": "boat", "star": "flower",
    "person": "person", "sign": "sign",
}  # fmt: skip
"""The class of PASCAL Context whose number each class of the scenes takes. The others are background."""


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images, their maps and their list below `folder`.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    levels = numbers_of(AS, CONTEXT59, CONTEXT59_NUMBERS)
    names = []
    for number, scene in scenes(n, seed):
        names.append(f"2008_{number:06d}")
        save_image(scene, folder / "JPEGImages" / f"{names[-1]}.jpg")
        save_map(levels_of(scene, levels, 0), folder / "SegmentationClassContext" / f"{names[-1]}.png")
    save_list(names, folder / "ImageSets" / "SegmentationContext" / "val.txt")
