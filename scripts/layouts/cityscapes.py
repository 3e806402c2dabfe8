"""Drawn scenes in the layout of Cityscapes."""

from __future__ import annotations

from pathlib import Path

from scripts.layouts._label_maps import levels_of, numbers_of, save_image, save_map, scenes
from youtu_gguf.evaluate.data.class_lists import CITYSCAPES
from youtu_gguf.evaluate.data.label_maps import CITYSCAPES_NUMBERS

AS = {
    "sky": "sky", "grass": "terrain", "sand": "sidewalk", "brick wall": "building", "wood wall": "wall",
    "wood floor": "road", "circle": "traffic light", "square": "car", "triangle": "pole", "star": "vegetation",
    "person": "person", "sign": "traffic sign",
}  # fmt: skip
"""The class of Cityscapes that each class of the scenes becomes. The others are not evaluated."""

_CITIES = ("frankfurt", "munster")
_STATIC = 4  # the id of "static"


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images and their maps below `folder`, in two cities.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    levels = numbers_of(AS, CITYSCAPES, CITYSCAPES_NUMBERS)
    for number, scene in scenes(n, seed):
        city = _CITIES[number % 2]
        name = f"{city}_{number:06d}_000019"
        save_image(scene, folder / "leftImg8bit" / "val" / city / f"{name}_leftImg8bit.png")
        maps = levels_of(scene, levels, _STATIC)
        save_map(maps, folder / "gtFine" / "val" / city / f"{name}_gtFine_labelIds.png")
