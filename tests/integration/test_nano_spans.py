"""Of every task of the small model that ships, what stands at an item's spans says the item's label and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import to_json
from youtu_gguf.types import Spans

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"


@pytest.fixture(scope="module")
def scene() -> Iterator[yg.Scene]:
    with yg.load("nano", threads=1, max_tokens=400) as model, model.open(SCENE) as scene:
        yield scene


def read(value: yg.Result, spans: Spans | None) -> tuple[str, list[int]]:
    """Return the words and the coordinates that stand at `spans` in the raw answer."""
    assert spans is not None
    written = [value.raw[start:stop] for start, stop in spans]
    tags = "".join(text for text in written if text.startswith("<"))
    assert re.fullmatch(r"(<[xyv]_\d+>)*", tags)
    return "".join(text for text in written if not text.startswith("<")), [
        int(n) for n in re.findall(r"<[xy]_(\d+)>", tags)
    ]


def corners(scene: yg.Scene, numbers: list[int]) -> list[float]:
    """Return x, y, ... of an answer at zoom 1 in source pixels."""
    return scene.transform.to_source(np.array(numbers, np.float32).reshape(-1, 2)).ravel().tolist()


def test_boxes(scene: yg.Scene) -> None:
    for found in (scene.detect(), scene.ground("the red circle")):
        assert found
        for box in found:
            words, numbers = read(found, box.spans)
            assert words == ("" if box.label == "the red circle" else box.label)  # the question's own words
            assert corners(scene, numbers) == pytest.approx(box.xyxy.tolist())


def test_boxes_of_several_scales(scene: yg.Scene) -> None:
    found = scene.detect(["star", "sign"], zoom=(1, 2))
    first = found.raw.index("\n")
    starts = [spans[0][0] for spans in found.spans or ()]
    assert min(starts) < first < max(starts)  # boxes of both answers remain
    assert [read(found, box.spans)[0] for box in found] == [*found.labels]


def test_outlines_and_persons(scene: yg.Scene) -> None:
    outlines, persons = scene.polygon("the red circle"), scene.pose()
    assert outlines
    assert persons
    for outline in outlines:
        _, numbers = read(outlines, outline.spans)
        assert corners(scene, numbers) == pytest.approx(np.concatenate(outline.parts).ravel().tolist())
    for person in persons:
        _, numbers = read(persons, person.spans)
        known = person.xyv[person.xyv.any(axis=1)]  # a joint that the answer lacks is all zero
        assert len(numbers) >= 4 + 2 * len(known)
        assert corners(scene, numbers[:4]) == pytest.approx(person.box.tolist())


def test_classes_and_instances_and_masks(scene: yg.Scene) -> None:
    labels = scene.segment(refine="none")
    assert [read(labels, region.spans)[0] for region in labels] == [*labels.classes]
    objects = scene.instances(limit=2, crop_size=224, refine="none")
    assert [read(objects, each.spans)[0] for each in objects] == [*objects.labels]
    for each in objects:
        assert corners(scene, read(objects, each.spans)[1]) == pytest.approx(each.xyxy.tolist())
    mask = scene.refer("the red circle", crop_size=224, refine="none")
    assert len(read(mask, mask.spans)[1]) == 4


def test_counts(scene: yg.Scene) -> None:
    count = scene.count("circle")
    assert read(count, count.spans) == (str(count.value), [])
    detected = scene.count("circle", by="detection")
    assert detected.boxes
    for box in detected.boxes:
        assert corners(scene, read(detected, box.spans)[1]) == pytest.approx(box.xyxy.tolist())


def test_json_has_them_too(scene: yg.Scene) -> None:
    form = to_json(scene.detect())
    for box in form["boxes"]:
        assert form["raw"][slice(*box["spans"][0])] == box["label"]
