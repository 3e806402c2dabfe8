"""What mypy knows of the values: this file is among those that it checks, and it runs as a test too."""

from __future__ import annotations

from typing import assert_type

import numpy as np

import youtu_gguf as yg
from youtu_gguf.types import F32, Bits

BOXES = yg.Boxes(np.zeros((2, 4), np.float32), ("car", "dog"), np.array([0.25, 0.75], np.float32))
LABELS = yg.LabelMap(np.zeros((2, 2), np.int32), ("road", "sky"))


def test_an_index_gives_a_row() -> None:
    assert_type(BOXES[0], yg.Box)
    assert_type(BOXES[np.int64(0)], yg.Box)
    assert_type(BOXES[-1].xyxy, F32)
    assert_type(BOXES[0].score, float | None)
    assert_type([box.label for box in BOXES], list[str])
    assert_type(LABELS["sky"], yg.Region)
    assert_type(LABELS[0].mask, Bits)


def test_a_selection_gives_the_same_type() -> None:
    assert BOXES.scores is not None
    assert_type(BOXES[1:], yg.Boxes)
    assert_type(BOXES[BOXES.scores > 0.5], yg.Boxes)
    assert_type(BOXES[[1, 0]], yg.Boxes)
    assert_type(BOXES[[label == "car" for label in BOXES.labels]], yg.Boxes)
    assert_type(BOXES[np.argsort(BOXES.scores)], yg.Boxes)
    assert_type(LABELS[["sky"]], yg.LabelMap)
    assert_type(LABELS[:1], yg.LabelMap)


def test_rows_of_every_type_are_known() -> None:
    polygons = yg.Polygons(((np.zeros((3, 2), np.float32),),), ("cup",))
    poses = yg.Poses(np.zeros((1, 16, 3), np.float32), np.zeros((1, 4), np.float32))
    instances = yg.Instances(np.zeros((1, 2, 2), np.bool_), np.zeros((1, 4), np.float32), ("cup",))
    assert_type(polygons[0].parts, tuple[F32, ...])
    assert_type(next(iter(poses)), yg.Pose)
    assert_type(instances[0].area, int)
    assert_type(instances[:1], yg.Instances)


def test_texts_and_counts_are_known_as_what_they_behave_as() -> None:
    text, count = yg.Text("A cup"), yg.Count(2)
    words: str = text
    assert_type(words.upper(), str)
    assert_type(text.split(), list[str])
    assert_type(text + "!", str)
    assert_type(int(count), int)
    assert_type(range(count), range)
    assert_type(count + 1, int)
    assert_type(1 - count, int)
    assert_type(count * 0.5, float)
    assert_type(count + count, int)
    assert_type(count < 3, bool)
    assert_type(["a", "b", "c"][count], str)


def test_masks_know_where_they_are() -> None:
    mask = yg.Mask(np.zeros((2, 2), np.bool_))
    assert_type(mask.xyxy, F32 | None)
    assert_type(mask.area, int)
