"""Drawn scenes in the layout of ADE20K's scene parsing challenge (ADEChallengeData2016).

Each class of the scenes takes the number of one of ADE20K's that it resembles, and stands before that in the list of
names, so that a model is asked for what the scenes show.
"""

from __future__ import annotations

from pathlib import Path

from scripts.layouts._label_maps import levels_of, numbers_of, save_image, save_map, scenes
from youtu_gguf.evaluate.data.class_lists import ADE20K
from youtu_gguf.evaluate.data.label_maps import ADE20K_NUMBERS

AS = {
    "sky": "sky", "grass": "grass", "sand": "sand", "brick wall": "wall", "wood wall": "fence", "wood floor": "floor",
    "stone floor": "path", "circle": "ball", "square": "box", "triangle": "tent", "star": "flag", "cross": "pole",
    "person": "person", "sign": "signboard",
}  # fmt: skip
"""The class of ADE20K whose number each class of the scenes takes."""


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images and their maps below `folder`, and the list of names.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    levels = numbers_of(AS, ADE20K, ADE20K_NUMBERS)
    for number, scene in scenes(n, seed):
        name = f"ADE_val_{number + 1:08d}"
        save_image(scene, folder / "images" / "validation" / f"{name}.jpg")
        save_map(levels_of(scene, levels, 0), folder / "annotations" / "validation" / f"{name}.png")
    spoken = {theirs: f"{ours}, {theirs}" for ours, theirs in AS.items() if ours != theirs}
    lines = [f"{index}\t0.0067\t100\t10\t{spoken.get(name, name)}" for index, name in enumerate(ADE20K, 1)]
    (folder / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines, ""]), encoding="utf-8")
