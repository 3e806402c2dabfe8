"""Recipes of several steps on the small model that ships: what is found, and that each step may be repeated by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano import measures
from scripts.nano.recipes import halved, measure
from scripts.nano.scenes import TEST_SEEDS, THINGS, draw


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=200) as model:
        yield model


def test_instances_are_the_masks_of_detected_boxes_the_largest_first(nano: yg.Model) -> None:
    truth = draw(TEST_SEEDS + 1)
    with closing(nano.open(truth.rgb)) as scene:
        found = scene.instances(THINGS, crop_size=224)
        boxes = scene.detect(THINGS)
        assert sorted(found.labels) == sorted(boxes.labels) != []
        areas = np.prod(found.xyxy[:, 2:] - found.xyxy[:, :2], axis=1)
        assert (np.diff(areas) <= 0).all()
        for xyxy, mask in zip(found.xyxy.tolist(), found.masks, strict=True):
            assert np.array_equal(mask, scene.refer(box=xyxy, crop_size=224).bits)
    for label, mask in zip(found.labels, found.masks, strict=True):
        best = max(measures.mask_iou(mask, thing.mask) for thing in truth.things if thing.kind == label)
        assert best > 0.5


def test_without_classes_the_model_names_them_itself(nano: yg.Model) -> None:
    with closing(nano.open(draw(TEST_SEEDS).rgb)) as scene:
        found = scene.instances(crop_size=224)
    names, boxes = found.raw.split("\n")
    assert "<ref>cross</ref>" in names
    assert "<box>" in boxes
    assert "cross" in found.labels


def test_a_picture_of_half_the_size_is_seen_better_at_twice_the_zoom(nano: yg.Model) -> None:
    rows = measure(nano, 8, ("small",)).rows
    ap50 = {name: row.boxes.ap50() for name, row in rows.items() if row.boxes is not None}
    assert ap50["half the size: detect(zoom=2)"] > ap50["half the size: detect(zoom=1)"] + 0.1


def test_boxes_at_twice_the_zoom_are_in_source_pixels(nano: yg.Model) -> None:
    truth = halved(draw(TEST_SEEDS + 1))
    with closing(nano.open(truth.rgb)) as scene:
        found = scene.detect(zoom=2)
    right = [max(measures.box_iou(box, thing.box) for thing in truth.things) for box in found.xyxy]
    assert len(right) >= 2
    assert np.median(right) > 0.5
