"""Values with several rows are indexed, selected from and iterated over, all by the same rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg

RING = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
SCORES = np.array([0.25, 0.5, 0.75])
SPANS = (((0, 2), (3, 4)), (), ((5, 9),))
CARRIED: dict[str, Any] = {
    "raw": "an answer",
    "finish": "length",
    "issues": (yg.Issue("cut off", 2, 3),),
    "timings": yg.Timings(generate_s=1.5),
}
IDS = np.array([[0, 0, 1], [2, -1, 2]])
MASKS = np.arange(3 * 2 * 5).reshape(3, 2, 5) % 4 == 0

VALUES: dict[str, Any] = {
    "boxes": yg.Boxes(np.arange(12).reshape(3, 4), ("car", "dog", "cup"), SCORES, SPANS, **CARRIED),
    "polygons": yg.Polygons(((RING,), (RING + 1, RING + 2), ()), ("car", "dog", "cup"), SCORES, SPANS, **CARRIED),
    "poses": yg.Poses(
        np.arange(144).reshape(3, 16, 3), np.arange(12).reshape(3, 4), scores=SCORES, spans=SPANS, **CARRIED
    ),
    "instances": yg.Instances(
        MASKS, np.arange(12).reshape(3, 4), ("car", "dog", "cup"), SCORES, spans=SPANS, **CARRIED
    ),
    "labels": yg.LabelMap(IDS, ("car", "dog", "cup"), scores=SCORES, spans=SPANS, **CARRIED),
}
every = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


@every
def test_rows_are_counted_indexed_and_iterated_over(value: Any) -> None:
    assert len(value) == 3
    assert [row.score for row in value] == [0.25, 0.5, 0.75]
    assert [row.score for row in reversed(value)] == [0.75, 0.5, 0.25]
    assert [row.spans for row in value] == list(SPANS)
    assert [value[i].score for i in (0, -1, np.int64(1), np.array(2))] == [0.25, 0.75, 0.5, 0.75]


@every
@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        (slice(5, 9), []),
        (SCORES > 0.3, [1, 2]),
        ([True, False, True], [0, 2]),
        (np.array([2, 0]), [2, 0]),
        (np.array([2, 255], np.uint8)[:1], [2]),
        ([-1, 0], [2, 0]),
        (range(2), [0, 1]),
        ([], []),
        (np.zeros(3, bool), []),
    ],
)
def test_a_selection_is_a_value_of_the_same_type_with_all_else_kept(value: Any, key: Any, kept: list[int]) -> None:
    part = value[key]
    assert type(part) is type(value)
    assert len(part) == len(kept)
    assert part.scores.tolist() == SCORES[kept].tolist()
    assert part.spans == tuple(SPANS[i] for i in kept)
    assert (part.raw, part.finish, part.issues, part.timings) == tuple(CARRIED.values())


def test_all_fields_of_a_row_go_together() -> None:
    boxes, polygons, poses, instances = (VALUES[name][[2, 1]] for name in ("boxes", "polygons", "poses", "instances"))
    assert boxes.xyxy.tolist() == [[8, 9, 10, 11], [4, 5, 6, 7]]
    assert boxes.labels == polygons.labels == instances.labels == ("cup", "dog")
    assert [len(parts) for parts in polygons.parts] == [0, 2]
    assert poses.xyv[:, 0, 0].tolist() == [96, 48]
    assert poses.boxes.tolist() == boxes.xyxy.tolist()
    assert np.array_equal(instances.masks, MASKS[[2, 1]])


def test_rows_have_named_fields() -> None:
    box, polygon, pose, instance, region = (value[1] for value in VALUES.values())
    assert (box.xyxy.tolist(), box.label, box.score) == ([4, 5, 6, 7], "dog", 0.5)
    assert (len(polygon.parts), polygon.parts[1].tolist(), polygon.label) == (2, (RING + 2).tolist(), "dog")
    assert (pose.xyv.shape, pose.box.tolist(), pose.score) == ((16, 3), [4, 5, 6, 7], 0.5)
    assert (instance.xyxy.tolist(), instance.label, instance.area) == ([4, 5, 6, 7], "dog", int(MASKS[1].sum()))
    assert np.array_equal(instance.mask, MASKS[1])
    assert (region.label, region.area, region.mask.tolist()) == ("dog", 1, (IDS == 1).tolist())


@every
def test_arrays_of_rows_and_selections_are_read_only(value: Any) -> None:
    for holder in (value[0], value[1:], value[[0]]):
        arrays = [field for field in vars(holder).values() if isinstance(field, np.ndarray)]
        assert not any(array.flags.writeable for array in arrays)


def test_rows_without_scores_have_none() -> None:
    boxes = yg.Boxes([[1, 2, 3, 4]], ("car",))
    assert boxes[0].score is None
    assert boxes[:1].scores is None


def test_rows_without_spans_have_none() -> None:
    boxes = yg.Boxes([[1, 2, 3, 4]], ("car",))
    assert boxes[0].spans is None
    assert boxes[:1].spans is None


@every
@pytest.mark.parametrize("key", [3, -4, [0, 3], np.array([-4]), 1 << 70])
def test_an_index_beyond_the_rows_is_an_index_error(value: Any, key: Any) -> None:
    with pytest.raises(IndexError, match="out of range: there are 3"):
        value[key]


@every
@pytest.mark.parametrize("key", [[True], np.ones(4, bool), np.zeros(0, bool)])
def test_a_mask_of_another_length_is_refused_with_both_lengths(value: Any, key: Any) -> None:
    with pytest.raises(yg.InputError, match=rf"each of the 3 rows; got {len(key)}\. Make it"):
        value[key]


@every
@pytest.mark.parametrize("key", [True, np.True_, None, 1.0, [0.5], (0, 1), [[0], [1, 2]], np.zeros((1, 3), bool)])
def test_what_selects_no_rows_is_refused(value: Any, key: Any) -> None:
    with pytest.raises(yg.InputError, match="selected by an index, a slice, a mask of 3"):
        value[key]


def test_a_comparison_of_labels_with_a_name_does_not_select_the_first_row() -> None:
    boxes = VALUES["boxes"]
    with pytest.raises(yg.InputError, match="By label"):
        boxes[boxes.labels == "car"]
    assert boxes[[label == "car" for label in boxes.labels]].labels == ("car",)


@every
def test_a_value_without_rows_is_falsy(value: Any) -> None:
    assert value
    assert not value[:0]


def test_a_label_map_is_indexed_by_name_too() -> None:
    labels = VALUES["labels"]
    assert labels["cup"].mask.tolist() == (IDS == 2).tolist()
    assert labels[["cup", "car"]].classes == ("cup", "car")
    with pytest.raises(yg.InputError, match="no class 'sky'; it has: car, dog, cup"):
        labels["sky"]
    with pytest.raises(yg.InputError, match="no class 'sky'"):
        labels[["cup", "sky"]]


def test_pixels_of_classes_left_out_become_background() -> None:
    assert VALUES["labels"][["cup", "car"]].ids.tolist() == [[1, 1, -1], [0, -1, 0]]
    assert VALUES["labels"][:0].ids.tolist() == [[-1] * 3] * 2


def test_a_list_of_labels_becomes_a_tuple() -> None:
    assert yg.Boxes([[1, 2, 3, 4]], ["car"]).labels == ("car",)  # type: ignore[arg-type]
