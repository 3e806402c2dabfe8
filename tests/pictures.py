"""Small images on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def write_images(folder: Path, greys: Iterable[int]) -> list[Path]:
    """Write a PNG file of 48x40 px for each of `greys` to a new folder; return their paths in order."""
    folder.mkdir()
    for i, grey in enumerate(greys):
        Image.fromarray(np.full((40, 48, 3), grey, np.uint8)).save(folder / f"{i}.png")
    return sorted(folder.iterdir())
