"""Drawn scenes as RefCOCO, RefCOCO+ and RefCOCOg: phrases for things, their boxes and masks."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scripts.nano.scenes import TEST_SEEDS, THINGS, Scene, Thing, draw, referring
from youtu_gguf.output.outlines import filled_outlines
from youtu_gguf.output.rle import coco_rle

SETS = (
    ("refcoco", "unc", ("val", "testA", "testB")),
    ("refcoco+", "unc", ("val", "testA", "testB")),
    ("refcocog", "umd", ("val", "test")),
)
"""Data sets, whose split each has, and its parts, over which the scenes are dealt out."""

_PLACES = ("left", "right")
"""Words that RefCOCO+ does without."""


def export(folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout of all three; masks are outlines, in RefCOCOg run lengths."""
    images = folder / "images/mscoco/images/train2014"
    images.mkdir(parents=True, exist_ok=True)
    scenes = [draw(TEST_SEEDS + seed * 1_000_000 + i) for i in range(n)]
    for i, scene in enumerate(scenes):
        cv2.imwrite(str(images / _name(i)), scene.rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))
    for name, by, parts in SETS:
        (folder / name).mkdir(exist_ok=True)
        instances, numbers = _instances(scenes, as_outlines=name != "refcocog")
        (folder / name / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
        refs = _refs(scenes, numbers, parts, skipped=_PLACES if name == "refcoco+" else ())
        (folder / name / f"refs({by}).p").write_bytes(pickle.dumps(refs, 2))


def _name(i: int) -> str:
    return f"COCO_train2014_{i + 1:012d}.jpg"


def _instances(scenes: list[Scene], as_outlines: bool) -> tuple[dict[str, Any], list[list[int]]]:
    """Return COCO's annotations, and the numbers of the things of each scene in them."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    numbers: list[list[int]] = []
    for i, scene in enumerate(scenes):
        height, width = scene.labels.shape
        images.append({"id": i + 1, "file_name": _name(i), "width": width, "height": height})
        numbers.append([len(annotations) + 1 + k for k in range(len(scene.things))])
        annotations += [
            _annotation(thing, number, i + 1, as_outlines)
            for thing, number in zip(scene.things, numbers[-1], strict=True)
        ]
    categories = [{"id": k + 1, "name": kind, "supercategory": "thing"} for k, kind in enumerate(THINGS)]
    return {"images": images, "annotations": annotations, "categories": categories}, numbers


def _annotation(thing: Thing, number: int, image_id: int, as_outlines: bool) -> dict[str, Any]:
    left, top, right, bottom = thing.box
    outlines = [ring.ravel().tolist() for ring in filled_outlines(thing.mask)]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": THINGS.index(thing.kind) + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": int(np.count_nonzero(thing.mask)),
        "iscrowd": 0,
        "segmentation": outlines if as_outlines else coco_rle(thing.mask),
    }


def _refs(
    scenes: list[Scene], numbers: list[list[int]], parts: tuple[str, ...], skipped: tuple[str, ...]
) -> list[dict[str, Any]]:
    refs: list[dict[str, Any]] = []
    n_sentences = 0
    for i, scene in enumerate(scenes):
        phrases = [(words, k) for words, k in referring(scene) if not set(words.split()) & set(skipped)]
        for k in sorted({k for _, k in phrases}):
            sentences = [
                {"sent_id": n_sentences + m, "sent": words, "raw": f"{words.capitalize()}.", "tokens": words.split()}
                for m, words in enumerate(words for words, which in phrases if which == k)
            ]
            n_sentences += len(sentences)
            refs.append(
                {
                    "ref_id": len(refs),
                    "ann_id": numbers[i][k],
                    "image_id": i + 1,
                    "category_id": THINGS.index(scene.things[k].kind) + 1,
                    "file_name": _name(i).replace(".jpg", f"_{numbers[i][k]}.jpg"),
                    "split": parts[i % len(parts)],
                    "sent_ids": [sentence["sent_id"] for sentence in sentences],
                    "sentences": sentences,
                }
            )
    return refs
