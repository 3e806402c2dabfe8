"""Drawn scenes in the layout of NYUv2's test images, as cleinc/bts converts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw

PER_METRE = 1000
FOCAL_PX = 518.8579  # of the camera of NYUv2; distances of drawn scenes then end at 26 m


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` images with their distances below `folder`/official_splits/test, in two scenes.

    Args:
        folder: Made where it is not there.
        n: How many.
        seed: Other seeds give other scenes.
    """
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i, focal_px=FOCAL_PX)
        place = folder / "official_splits" / "test" / ("kitchen", "office")[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.rgb).save(place / f"rgb_{i:05d}.png")
        Image.fromarray(np.rint(scene.depth * PER_METRE).astype(np.uint16)).save(place / f"sync_depth_{i:05d}.png")
