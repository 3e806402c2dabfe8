"""Drawn scenes as COCO val2017 is laid out: annotations/instances_val2017.json, and images in val2017."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, THINGS, draw
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.types import Instances, Size

SPLIT = "val2017"


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes. Categories are the kinds of things; masks are run lengths, which keep every pixel.

    Args:
        folder: Made if it does not exist.
        n: How many scenes.
        seed: Other seeds give other scenes.
    """
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / SPLIT).mkdir(exist_ok=True)
    data = CocoDataset(THINGS)
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i)
        name = f"{i + 1:012}.png"
        Image.fromarray(scene.rgb).save(folder / SPLIT / name)
        masks = np.stack([thing.mask for thing in scene.things])
        boxes = np.array([thing.box for thing in scene.things], np.float32)
        found = Instances(masks, boxes, tuple(thing.kind for thing in scene.things))
        data.add(name, Size(scene.rgb.shape[1], scene.rgb.shape[0]), found)
    text = json.dumps(data.to_dict())
    (folder / "annotations" / f"instances_{SPLIT}.json").write_text(text, encoding="utf-8")
