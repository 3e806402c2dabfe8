"""Drawn scenes as TallyQA: a simple question about each kind of thing, a complex one about things of a colour."""

from __future__ import annotations

import json
from pathlib import Path

import cv2

from scripts.nano.answers import count
from scripts.nano.scenes import TEST_SEEDS, Scene, draw

_WORDING = "How many {} are there in the image?"


def questions(scene: Scene) -> list[tuple[str, int, bool]]:
    """Return questions about a scene, with their answers and whether they are simple."""
    thing = scene.things[0]
    asked = (("object", True), (thing.kind, True), (f"{thing.colour} {thing.kind}", False))
    return [(_WORDING.format(what), count(scene, what), simple) for what, simple in asked]


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout of TallyQA's test set."""
    (folder / "VG_100K").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for i in range(n):
        scene = draw(TEST_SEEDS + seed * 1_000_000 + i)
        image = f"VG_100K/{i + 1}.png"
        cv2.imwrite(str(folder / image), scene.rgb[..., ::-1])
        for question, answer, simple in questions(scene):
            rows.append(
                {
                    "image": image,
                    "image_id": i + 1,
                    "question_id": len(rows) + 1,
                    "question": question,
                    "answer": answer,
                    "issimple": simple,
                    "data_source": "drawn",
                }
            )
    (folder / "test.json").write_text(json.dumps(rows), encoding="utf-8")
