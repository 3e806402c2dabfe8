"""Drawn scenes in the layout of COCO-Stuff 164k."""

from __future__ import annotations

from pathlib import Path

from scripts.layouts._label_maps import levels_of, numbers_of, save_image, save_map, scenes
from youtu_gguf.evaluate.data.class_lists import COCO_STUFF
from youtu_gguf.evaluate.data.label_maps import COCO_STUFF_NUMBERS
from youtu_gguf.evaluate.data.numbering import NONE

AS = {
    "sky": "sky-other", "grass": "grass", "sand": "sand", "brick wall": "wall-brick", "wood wall": "wall-wood",
    "wood floor": "floor-wood", "stone floor": "floor-stone", "circle": "sports ball", "square": "cardboard",
    "triangle": "tent", "star": "kite", "person": "person", "sign": "stop sign",
}  # fmt: skip
"""The class of COCO-Stuff whose number each class of the scenes takes. The others are unlabeled."""


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images and their maps below `folder`.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    levels = numbers_of(AS, COCO_STUFF, COCO_STUFF_NUMBERS)
    for number, scene in scenes(n, seed):
        save_image(scene, folder / "images" / "val2017" / f"{number:012d}.jpg")
        save_map(levels_of(scene, levels, NONE), folder / "annotations" / "val2017" / f"{number:012d}.png")
