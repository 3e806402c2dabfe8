"""Results as rows of a table, read back by Python's own reader."""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import Source, encode
from youtu_gguf.output.csv import COLUMNS, rows_of, table
from youtu_gguf.types import Result

SOURCE = Source(name="猫.jpg", context={"task": "detect"}, label="the cup")
BOXES = yg.Boxes([[1, 2, 3.456, 4], [0, 0, 10, 10]], ("cup", "杯"), np.array([0.5, np.nan]))


def rows(data: bytes) -> list[dict[str, str]]:
    assert data.startswith(b"\xef\xbb\xbfimage,")
    return [*csv.DictReader(StringIO(data.decode("utf-8-sig"), newline=""))]


def told(result: Result) -> list[dict[str, str]]:
    """Return the rows of a result without what is empty, the image and the task."""
    found = rows(encode(result, "csv", SOURCE))
    assert all((row["image"], row["task"]) == ("猫.jpg", "detect") for row in found)
    return [{key: value for key, value in row.items() if value and key not in ("image", "task")} for row in found]


def test_an_object_is_a_row() -> None:
    assert told(BOXES) == [
        {"label": "cup", "score": "0.5", "x1": "1", "y1": "2", "x2": "3.46", "y2": "4", "area": "4.91"},
        {"label": "杯", "x1": "0", "y1": "0", "x2": "10", "y2": "10", "area": "100"},
    ]


def test_a_mask_is_named_by_its_phrase_and_a_class_by_itself() -> None:
    bits = np.array([[0, 1, 1]], np.bool_)
    where = {"x1": "1", "y1": "0", "x2": "3", "y2": "1", "area": "2"}
    assert told(yg.Mask(bits)) == [{"label": "the cup", **where}]
    assert told(yg.LabelMap(np.where(bits, 0, -1), ("sky", "road"))) == [{"label": "sky", **where}]


def test_words_numbers_and_actions_have_columns_of_their_own() -> None:
    assert told(yg.Text('two\nlines, "quoted"', 0.25)) == [{"text": 'two\nlines, "quoted"', "score": "0.25"}]
    assert told(yg.Count(0)) == [{"count": "0"}]
    assert told(yg.Action("left_click", [3, 4])) == [{"text": "left_click", "x1": "3", "y1": "4", "x2": "3", "y2": "4"}]
    assert told(yg.Action("wait")) == [{"text": "wait"}]


def test_a_count_is_followed_by_what_was_counted() -> None:
    first, *boxes = told(yg.Count(2, boxes=BOXES))
    assert (first, boxes) == ({"count": "2"}, told(BOXES))


def test_an_image_in_which_nothing_was_found_is_not_lost() -> None:
    assert told(yg.Boxes(np.zeros((0, 4)), ())) == [{}]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert told(yg.Text(text))[0]["text"] == f"'{text}"
    (row,) = rows_of(yg.Boxes([[-1, 0, 1, 1]], (text,)), "a.jpg")
    (read,) = rows(table([row]))
    assert (read["label"], read["x1"]) == (f"'{text}", "-1")


def test_a_table_may_have_further_columns() -> None:
    (read,) = rows(table([{"image": "a.jpg", "error": "broken"}], (*COLUMNS, "error")))
    assert (read["image"], read["error"], read["label"]) == ("a.jpg", "broken", "")


def test_depth_is_no_table() -> None:
    with pytest.raises(yg.InputError, match="the format csv is for"):
        encode(yg.DepthMap([[1]], "m"), "csv")
    with pytest.raises(yg.InputError, match="has no rows"):
        [*rows_of(yg.DepthMap([[1]], "m"), "a.jpg")]
