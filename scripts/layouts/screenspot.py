"""Drawn scenes as ScreenSpot-Pro: things to click on, in the place of elements of a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2

from scripts.nano.scenes import TEST_SEEDS, Scene, draw, referring

GROUPS = ("Dev", "Creative", "CAD", "Scientific", "Office", "OS")


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout of ScreenSpot-Pro, a file of instructions for each scene."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "images" / "drawn").mkdir(parents=True, exist_ok=True)
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i)
        name = f"drawn/screenshot_{i:04d}.png"
        cv2.imwrite(str(folder / "images" / name), scene.rgb[..., ::-1])
        records = _records(scene, name, GROUPS[i % len(GROUPS)])
        path = folder / "annotations" / f"drawn_{i:04d}.json"
        path.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")


def _records(scene: Scene, image: str, group: str) -> list[dict[str, Any]]:
    height, width = scene.labels.shape
    return [
        {
            "img_filename": image,
            "bbox": [int(side) for side in scene.things[k].box],
            "instruction": f"click on {words}",
            "instruction_cn": f"点击 {words}",
            "id": f"{Path(image).stem}_{number}",
            "application": "drawn",
            "platform": "linux",
            "img_size": [width, height],
            "ui_type": "text" if scene.things[k].kind == "sign" else "icon",
            "group": group,
        }
        for number, (words, k) in enumerate(referring(scene))
    ]
