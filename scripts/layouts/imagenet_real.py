"""Drawn scenes as ImageNet with reassessed labels: the kind of the largest thing, and no label where two are alike."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from scripts.nano.answers import primary
from scripts.nano.scenes import TEST_SEEDS, THINGS, Scene, draw


def labels(scene: Scene) -> list[int]:
    """Return the number of the kind of the thing that is clearly the largest, if there is one."""
    largest = primary(scene)
    return [THINGS.index(largest.kind)] if largest else []


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout of ImageNet's validation images. The synsets of the kinds are invented."""
    (folder / "val").mkdir(parents=True, exist_ok=True)
    lists = []
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i)
        cv2.imwrite(
            str(folder / "val" / f"ILSVRC2012_val_{i + 1:08d}.JPEG"),
            scene.rgb[..., ::-1],
            (cv2.IMWRITE_JPEG_QUALITY, 95),
        )
        lists.append(labels(scene))
    (folder / "real.json").write_text(json.dumps(lists), encoding="utf-8")
    synsets = "".join(f"n{90_000_000 + i:08d} {kind}, drawn {kind}\n" for i, kind in enumerate(THINGS))
    (folder / "LOC_synset_mapping.txt").write_text(synsets, encoding="utf-8")
