"""Scores in the lines a person reads."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.cli.results import lines

RING = np.zeros((3, 2), np.float32)
XYV = np.zeros((2, 16, 3), np.float32)
HALF = np.array([0.5])


def test_boxes_have_a_column_of_scores_only_where_there_are_scores() -> None:
    xyxy = [[1, 2, 3, 4], [5, 6, 7, 8]]
    plain = list(lines(yg.Boxes(xyxy, ("cup", "pen"))))
    scored = list(lines(yg.Boxes(xyxy, ("cup", "pen"), np.array([0.833, np.nan]))))
    assert plain[0].split() == ["left", "top", "right", "bottom", "label"]
    assert plain[1].split() == ["1.0", "2.0", "3.0", "4.0", "cup"]
    assert scored[0].split() == ["left", "top", "right", "bottom", "score", "label"]
    assert [line.split()[4:] for line in scored[1:]] == [["0.83", "cup"], ["-", "pen"]]
    assert scored[0].index("score") + len("score") == scored[1].index("0.83") + len("0.83")  # right-aligned


def test_persons_have_a_column_of_scores_too() -> None:
    scored = list(lines(yg.Poses(XYV, np.ones((2, 4)), scores=np.array([0.25, 1]))))
    assert [line.split()[4] for line in scored] == ["score", "0.25", "1.00"]


def test_instances_are_a_table_with_the_share_of_the_image_that_each_has() -> None:
    masks = np.zeros((2, 10, 10), bool)
    masks[0, :5] = True
    printed = list(lines(yg.Instances(masks, [[0, 0, 10, 5], [5, 6, 7, 8]], ("cup", "red pen"), np.array([0.833, 0]))))
    assert printed[0].split() == ["left", "top", "right", "bottom", "score", "share", "label"]
    assert printed[1].split()[4:] == ["0.83", "50.0%", "cup"]
    assert printed[2].split()[4:] == ["0.00", "0.0%", "red", "pen"]
    assert printed[0].index("share") + len("share") == printed[1].index("50.0%") + len("50.0%")
    assert list(lines(yg.Instances(masks[:0], [], ()))) == ["nothing found"]


@pytest.mark.parametrize(
    ("plain", "scored", "line"),
    [
        (yg.Text("a cup"), yg.Text("a cup", 0.5), "score 0.50"),
        (yg.Count(3), yg.Count(3, 0.5), "score 0.50"),
        (yg.Polygons(((RING,),), ("cup",)), yg.Polygons(((RING,),), ("cup",), HALF), ", score 0.50"),
        (yg.Mask([[True]]), yg.Mask([[True]], 0.5), ", score 0.50"),
        (yg.LabelMap([[0]], ("cup",)), yg.LabelMap([[0]], ("cup",), scores=HALF), ", score 0.50"),
        (yg.LabelMap([[0]], ("cup",)), yg.LabelMap([[0]], ("cup",), [[0.25]]), "median margin 0.25"),
    ],
)
def test_a_score_follows_its_value_and_nothing_follows_without_one(
    plain: yg.Result, scored: yg.Result, line: str
) -> None:
    without, having = "\n".join(lines(plain)), "\n".join(lines(scored))
    assert "score" not in without
    assert "margin" not in without
    assert having.startswith(without)
    assert having.removeprefix(without).strip("\n") == line
