"""Drawn scenes as CountBench: how many things there are."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from scripts.layouts.tallyqa import questions
from scripts.nano.scenes import TEST_SEEDS, draw


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout that `scripts/unpack_countbench.py` makes of CountBench."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i)
        name = f"images/{i:05d}.png"
        cv2.imwrite(str(folder / name), scene.rgb[..., ::-1])
        question, number, _ = questions(scene)[0]
        lines.append(json.dumps({"file_name": name, "question": question, "number": number, "index": i}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
