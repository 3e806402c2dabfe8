"""Results as JSON and arrays, and files that are whole or not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from tests.reference.rle import decode_runs
from youtu_gguf.output import WRITERS, Source, to_json, write_bytes, write_png
from youtu_gguf.types import Size

RING = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
IDS = np.array([[0, 0, 1], [1, -1, -1]])
XYV = np.zeros((1, 16, 3), np.float32)
XYV[0, 0] = (1.234, 5, np.nan)

RESULTS: dict[str, yg.Result] = {
    "text": yg.Text("a cup", raw=" a cup", finish="stop"),
    "count": yg.Count(3),
    "boxes": yg.Boxes([[1, 2, 3.456, 4]], ("cup",), np.array([0.5])),
    "polygons": yg.Polygons(((RING, RING + 5), (RING,)), ("cup", "杯")),
    "poses": yg.Poses(XYV, [[0, 0, 5, 5]]),
    "mask": yg.Mask(IDS == 1),
    "labels": yg.LabelMap(IDS, ("cup", "table")),
    "depth": yg.DepthMap([[1, 0, 3]], "m"),
    "action": yg.Action("left_click", [3, 4], {"button": 1}),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_a_strict_json_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    WRITERS["json"](path, RESULTS[name], Source(context={"task": "test"}))
    form = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert form["schema"] == 1
    assert form["task"] == "test"
    assert {"type", "raw", "finish", "issues", "timings"} <= form.keys()


def test_boxes_are_plain_numbers() -> None:
    assert to_json(RESULTS["boxes"])["boxes"] == [
        {"label": "cup", "xyxy": [1, 2, 3.46, 4], "score": 0.5, "spans": None}
    ]


def test_a_count_is_a_number_or_null() -> None:
    assert [to_json(count)["count"] for count in (RESULTS["count"], yg.Count(None))] == [3, None]


def test_score_that_is_no_number_becomes_null() -> None:
    assert to_json(yg.Mask(IDS == 1, float("nan")))["score"] is None


def test_scores_that_were_not_asked_for_are_null() -> None:
    forms = {name: to_json(result) for name, result in RESULTS.items()}
    assert forms["text"]["score"] is forms["count"]["score"] is forms["mask"]["score"] is None
    assert [item["score"] for item in (*forms["polygons"]["polygons"], *forms["poses"]["persons"])] == [None] * 3
    assert forms["labels"]["scores"] is forms["labels"]["margin"] is None
    assert "score" not in forms["depth"]


def test_scores_stand_beside_what_they_are_of() -> None:
    assert to_json(yg.Text("a cup", 0.12345))["score"] == 0.1235
    assert to_json(yg.Count(3, 0.5))["score"] == 0.5
    outlines = yg.Polygons(((RING,), (RING,)), ("cup", "杯"), np.array([0.5, np.nan]))
    assert [(o["label"], o["score"]) for o in to_json(outlines)["polygons"]] == [("cup", 0.5), ("杯", None)]
    assert to_json(yg.Poses(XYV, [[0, 0, 5, 5]], scores=np.array([0.25])))["persons"][0]["score"] == 0.25


def test_spans_stand_beside_what_they_are_of() -> None:
    spans, pairs = ((1, 2), (3, 9)), [[1, 2], [3, 9]]
    array = np.ones((1, 1, 1))
    rows: list[tuple[str, yg.Result]] = [
        ("boxes", yg.Boxes([[1, 2, 3, 4]], ("cup",), spans=(spans,))),
        ("polygons", yg.Polygons(((RING,),), ("cup",), spans=(spans,))),
        ("persons", yg.Poses(XYV, [[0, 0, 5, 5]], spans=(spans,))),
        ("instances", yg.Instances(array, [[0, 0, 1, 1]], ("cup",), spans=(spans,))),
    ]
    assert [to_json(value)[name][0]["spans"] for name, value in rows] == [pairs] * 4
    alone = (yg.Count(3, spans=spans), yg.Mask(IDS == 1, spans=spans), yg.Action("click", [3, 4], spans=spans))
    assert [to_json(value)["spans"] for value in alone] == [pairs] * 3
    assert to_json(yg.LabelMap(IDS, ("cup", "table"), spans=(spans, ())))["spans"] == {"cup": pairs, "table": []}
    assert to_json(yg.Count(1, boxes=yg.Boxes([[1, 2, 3, 4]], ("cup",), spans=(spans,))))["boxes"][0]["spans"] == pairs


def test_spans_of_what_no_answer_says_are_null() -> None:
    forms = {name: to_json(result) for name, result in RESULTS.items()}
    assert [item["spans"] for item in (*forms["polygons"]["polygons"], *forms["poses"]["persons"])] == [None] * 3
    assert [forms[name]["spans"] for name in ("count", "mask", "labels", "action")] == [None] * 4


def test_a_label_map_gives_scores_by_class_and_sums_up_its_margin() -> None:
    margin = np.array([[0, 0.25, 0.5], [0.75, 1, 0.5]])
    form = to_json(yg.LabelMap(IDS, ("cup", "table"), margin, scores=np.array([0.5, 0.25])))
    assert form["scores"] == {"cup": 0.5, "table": 0.25}
    assert form["margin"] == {"min": 0, "p25": 0.3125, "median": 0.5, "p75": 0.6875, "max": 1}


def test_missing_visibility_becomes_null() -> None:
    assert to_json(RESULTS["poses"])["persons"][0]["xyv"][0] == [1.23, 5, None]


def test_runs_rebuild_the_label_map_and_the_mask() -> None:
    labels, mask = to_json(RESULTS["labels"]), to_json(RESULTS["mask"])
    assert np.array_equal(decode_runs(labels["runs"], Size(*labels["size"])), IDS)
    assert np.array_equal(decode_runs(mask["runs"], Size(*mask["size"])), IDS == 1)


def test_depth_is_summed_up_without_its_invalid_pixels() -> None:
    form = to_json(RESULTS["depth"])
    assert (form["min"], form["median"], form["max"], form["unit"]) == (1, 2, 3, "m")
    assert form["valid_share"] == 0.6667
    assert to_json(yg.DepthMap([[0]], "m"))["median"] is None


def test_issues_keep_their_place() -> None:
    form = to_json(yg.Text("x", issues=(yg.Issue("cut", 3, 5),)))
    assert form["issues"] == [{"message": "cut", "start": 3, "end": 5}]


def test_arrays_come_back_under_their_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    WRITERS["npz"](path, RESULTS["labels"])
    with np.load(path, allow_pickle=False) as stored:
        assert np.array_equal(stored["ids"], IDS)
        assert stored["classes"].tolist() == ["cup", "table"]


def test_polygons_can_be_rebuilt_from_their_arrays(tmp_path: Path) -> None:
    path = tmp_path / "outlines.npz"
    WRITERS["npz"](path, RESULTS["polygons"])
    with np.load(path, allow_pickle=False) as stored:
        assert stored["labels"].tolist() == ["cup", "杯"]
        assert stored["objects"].tolist() == [0] * 6 + [1] * 3
        assert np.array_equal(stored["points"][stored["outlines"] == 1], RING + 5)


@pytest.mark.parametrize(
    ("result", "name", "expected"),
    [
        (RESULTS["boxes"], "scores", [0.5]),
        (yg.Polygons(((RING,),), ("cup",), np.array([0.25])), "scores", [0.25]),
        (yg.Poses(XYV, [[0, 0, 5, 5]], scores=np.array([0.25])), "scores", [0.25]),
        (yg.Mask(IDS == 1, 0.75), "score", 0.75),
        (yg.LabelMap([[0, 0]], ("cup",), [[0.5, 1]], scores=np.array([0.25])), "scores", [0.25]),
        (yg.LabelMap([[0, 0]], ("cup",), [[0.5, 1]], scores=np.array([0.25])), "margin", [[0.5, 1]]),
    ],
)
def test_scores_and_margins_are_stored_with_the_arrays(
    result: yg.Result, name: str, expected: object, tmp_path: Path
) -> None:
    path = tmp_path / "result.npz"
    WRITERS["npz"](path, result)
    with np.load(path, allow_pickle=False) as stored:
        assert stored[name].tolist() == expected


@pytest.mark.parametrize("name", ["polygons", "poses", "mask", "labels"])
def test_scores_that_were_not_asked_for_are_not_stored(name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    WRITERS["npz"](path, RESULTS[name])
    with np.load(path, allow_pickle=False) as stored:
        assert not {"score", "scores", "margin"} & set(stored)


def test_no_polygons_are_arrays_too(tmp_path: Path) -> None:
    WRITERS["npz"](tmp_path / "none.npz", yg.Polygons((), ()))


def test_text_has_no_arrays(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"npz is for Count, Boxes, .*; got a Text"):
        WRITERS["npz"](tmp_path / "text.npz", RESULTS["text"])


def test_an_image_comes_back_as_it_was(tmp_path: Path) -> None:
    from PIL import Image

    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    write_png(tmp_path / "image.png", rgb)
    with Image.open(tmp_path / "image.png") as stored:
        assert np.array_equal(np.asarray(stored), rgb)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(yg.OutputError, match="expected to write"):
        write_bytes(taken, b"new")
    assert list(tmp_path.iterdir()) == [taken]


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(yg.OutputError, match="folder you may write to"):
        write_bytes(tmp_path / "no" / "file", b"new")


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path) -> None:
    WRITERS["json"](tmp_path / "result.json", yg.Text("cup \ud83d"))
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["text"] == "cup \ud83d"
