"""Drawn scenes in the layout of DDAD, with distances of a few pixels only, as a lidar gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw

PER_METRE = 256
_EVERY = 4  # rows with distances


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images of each of two cameras, with their distances, below `folder`, in two scenes.

    Args:
        folder: Made where it is not there.
        n: How many of each camera.
        seed: Other seeds give other scenes.
    """
    for i in range(n):
        for c, camera in enumerate(("CAMERA_01", "CAMERA_05")):
            scene = draw(TEST_SEEDS + seed * 1_000_000 + 2 * i + c)
            place, name = folder / f"{150 + i % 2:06d}", f"{15616458249936530 + i}.png"
            for kind in ("rgb", "depth"):
                (place / kind / camera).mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene.rgb).save(place / "rgb" / camera / name)
            levels = np.rint(scene.depth * PER_METRE).astype(np.uint16)
            levels[np.arange(len(levels)) % _EVERY != 0] = 0
            Image.fromarray(levels).save(place / "depth" / camera / name)
