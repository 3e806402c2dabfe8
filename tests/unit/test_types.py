"""Values check their arrays once and cannot be changed afterwards."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.facts import MPII_JOINTS, MPII_SKELETON, N_JOINTS
from youtu_gguf.types import Frozen, PreparedImage, Size, Transform, run_lengths
from youtu_gguf.types.colours import BACKGROUND, INVALID, colour


@pytest.mark.parametrize(
    "make",
    [
        lambda: yg.Boxes([[1, 2, 3]], ("a",)),
        lambda: yg.Boxes([[1, 2, 3, 4]], ()),
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), np.array([1, 2])),
        lambda: yg.Boxes(None, ()),  # type: ignore[arg-type]
        lambda: yg.Polygons((), ("a",)),
        lambda: yg.Polygons((), (), np.ones(1)),
        lambda: yg.Polygons(((np.zeros((3, 3)),),), ("a",)),
        lambda: yg.Poses(np.zeros((1, 15, 3)), np.zeros((1, 4))),
        lambda: yg.Poses(np.zeros((1, 16, 3)), np.zeros((2, 4))),
        lambda: yg.Poses(np.zeros((1, 16, 3)), np.zeros((1, 4)), scores=np.ones(2)),
        lambda: yg.Mask(np.zeros(5, bool)),
        lambda: yg.LabelMap(np.zeros((2, 2)), (), margin=np.zeros((3, 2))),
        lambda: yg.LabelMap(np.zeros((2, 2)), ("a",), scores=np.ones(2)),
        lambda: yg.DepthMap(np.zeros((1, 2, 3)), "m"),
        lambda: yg.Action("click", [1, 2, 3]),
    ],
)
def test_wrong_shapes_are_refused(make: object) -> None:
    with pytest.raises(yg.InputError, match="must"):
        make()  # type: ignore[operator]


def test_nothing_found_is_a_value_too() -> None:
    assert yg.Boxes([], ()).xyxy.shape == (0, 4)
    assert yg.Poses([], []).xyv.shape == (0, 16, 3)
    assert len(yg.Polygons((), ())) == 0


def test_arrays_are_read_only_and_the_callers_stays_writable() -> None:
    own = np.zeros((2, 2), np.int32)
    labels = yg.LabelMap(own, ("a",))
    with pytest.raises(ValueError, match="read-only"):
        labels.ids[0, 0] = 1
    own[0, 0] = 1
    assert labels.ids[0, 0] == 0


def test_a_value_does_not_change_with_the_buffer_it_was_made_from() -> None:
    buffer, raw = np.ones((2, 4), np.float32), bytearray(32)
    view = buffer.view()
    view.setflags(write=False)
    for made_from, memory in ((buffer, buffer), (view, buffer), (np.frombuffer(raw, np.float32).reshape(2, 4), raw)):
        boxes = yg.Boxes(made_from, ("a", "b"))
        before = boxes.xyxy.copy()
        memory[:] = bytes(32) if memory is raw else np.float32(7)
        raw[0] ^= 1
        assert np.array_equal(boxes.xyxy, before)
        buffer[:] = 1


def test_a_large_array_that_is_handed_over_is_not_copied() -> None:
    bits = np.zeros((4, 4), bool)
    bits.setflags(write=False)
    mask = yg.Mask(bits)
    assert np.shares_memory(mask.bits, bits)
    assert np.shares_memory(yg.Instances(bits[None], [[0, 0, 1, 1]], ("a",)).masks, bits)


def test_a_class_that_is_not_in_the_map_is_named_with_those_that_are() -> None:
    with pytest.raises(yg.InputError, match="no class 'sky'; it has: road, car"):
        yg.LabelMap(np.zeros((2, 2)), ("road", "car")).mask("sky")


def test_coordinates_come_in_pairs() -> None:
    transform = Transform(Size(10, 10), Size(32, 32))
    with pytest.raises(yg.InputError, match="x, y pairs"):
        transform.to_source([1, 2, 3])
    assert transform.to_source(np.zeros((0, 4))).shape == (0, 4)


def test_the_skeleton_joins_every_joint_once_as_a_tree() -> None:
    assert len(MPII_JOINTS) == N_JOINTS
    assert len(MPII_SKELETON) == N_JOINTS - 1
    assert {joint for limb in MPII_SKELETON for joint in limb} == set(range(N_JOINTS))


def test_run_lengths_of_booleans_and_numbers() -> None:
    assert run_lengths(np.array([[True, True], [False, True]])).tolist() == [[1, 2], [0, 1], [1, 1]]
    assert run_lengths(np.zeros((0, 3), np.int32)).shape == (0, 2)


RING = np.array([[0, 0], [4, 0], [4, 3]], np.float32)
BITS = np.zeros((48, 64), bool)
BITS[10:20, 5:50] = True
ONE_ISSUE = (yg.Issue("cut off"),)

VALUES: list[Any] = [
    yg.Text("a cup", 0.5, raw=" a cup", issues=ONE_ISSUE),
    yg.Count(1, 0.5, yg.Boxes([[1, 2, 3, 4]], ("cup",))),
    yg.Boxes([[1, 2, 3, 4]], ("cup",), np.array([0.5]), finish="stop"),
    yg.Polygons(((RING,),), ("cup",), np.array([0.5])),
    yg.Poses(np.zeros((1, 16, 3)), np.zeros((1, 4)), scores=np.array([0.5])),
    yg.Mask(BITS, 0.5),
    yg.Instances(BITS[None], np.zeros((1, 4)), ("cup",), np.array([0.5])),
    yg.LabelMap(BITS, ("table", "cup"), BITS, scores=np.array([0.5, 0.25])),
    yg.DepthMap(BITS, "m", 500.0),
    yg.Action("click", [1, 2], {"button": 1}),
    yg.Boxes([[1, 2, 3, 4]], ("cup",))[0],
    yg.Instances(BITS[None], np.zeros((1, 4)), ("cup",))[0],
    PreparedImage(np.zeros((32, 64, 3), np.uint8)),
]


def arrays_of(value: object) -> list[np.ndarray]:
    """Return every array of a value, also those in tuples and in values that it holds."""
    if isinstance(value, np.ndarray):
        return [value]
    inner = vars(value).values() if isinstance(value, Frozen) else value if isinstance(value, tuple) else ()
    return [array for part in inner for array in arrays_of(part)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), replace]
)
def test_a_copy_is_the_same_and_read_only_too(value: Any, duplicate: Callable[[Any], Any]) -> None:
    made = duplicate(value)
    assert type(made) is type(value)
    assert not any(array.flags.writeable for array in arrays_of(made))
    assert all(map(np.array_equal, arrays_of(made), arrays_of(value)))
    plain = {name: field for name, field in vars(value).items() if not arrays_of(field)}
    assert {name: getattr(made, name) for name in plain} == plain


def test_a_changed_copy_is_checked_as_a_new_value_is() -> None:
    with pytest.raises(yg.InputError, match="labels must name each"):
        replace(yg.Boxes([[1, 2, 3, 4]], ("cup",)), labels=())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (yg.Text("A red circle"), "Text('A red circle')"),
        (yg.Text("A red circle " * 9, issues=ONE_ISSUE), f"Text('{'A red circle ' * 4}A red ci ...'; 1 issue)"),
        (yg.Count(2), "Count(2)"),
        (yg.Count(None, issues=ONE_ISSUE * 2), "Count(no number; 2 issues)"),
        (yg.Boxes(np.zeros((3, 4)), ("car",) * 3, issues=ONE_ISSUE), "Boxes(3: car, car, car; 1 issue)"),
        (yg.Boxes(np.zeros((9, 4)), ("car",) * 9), "Boxes(9: car, car, car, car, car, car, ...)"),
        (yg.Boxes([], ()), "Boxes(0)"),
        (yg.Polygons(((RING,),), ("cup",)), "Polygons(1: cup)"),
        (yg.Poses(np.ones((1, 16, 3)), np.zeros((1, 4))), "Poses(1: 16 joints)"),
        (yg.Mask(BITS), "Mask(64x48, 14.6 %)"),
        (yg.Mask(np.zeros((48, 64), bool)), "Mask(64x48, 0 %)"),
        (yg.Instances(BITS[None], np.zeros((1, 4)), ("cup",)), "Instances(64x48, 1: cup)"),
        (yg.LabelMap(BITS, ("road", "sky")), "LabelMap(64x48: road 85.4 %, sky 14.6 %)"),
        (yg.LabelMap(BITS, tuple("abcde")), "LabelMap(64x48: a 85.4 %, b 14.6 %, c 0 %, d 0 %, ...)"),
        (yg.LabelMap(BITS, ()), "LabelMap(64x48: no class)"),
        (yg.DepthMap([[1.2, 0, 8.4]], "m"), "DepthMap(3x1, 1.2-8.4 m)"),
        (yg.DepthMap([[0.0]], "relative"), "DepthMap(1x1, nothing valid)"),
        (yg.Action("click", [10, 20.5]), "Action(click at 10, 20.5)"),
        (yg.Action(""), "Action(no action)"),
        (
            yg.Boxes([[1, 2, 3, 4.25]], ("car",), np.array([0.5]))[0],
            "Box(xyxy=(1, 2, 3, 4.25), label='car', score=0.50)",
        ),
        (yg.Polygons(((RING,),), ("cup",))[0], "Polygon(parts=1 outline, label='cup')"),
        (yg.LabelMap(BITS, ("road", "sky"))["sky"], "Region(label='sky', mask=64x48)"),
        (PreparedImage(np.zeros((32, 64, 3), np.uint8)), "PreparedImage(64x32)"),
    ],
)
def test_a_repr_tells_in_one_line_what_was_found(value: object, expected: str) -> None:
    assert repr(value) == expected


def test_a_region_knows_its_extent_and_its_area() -> None:
    masks = (yg.Mask(BITS), yg.LabelMap(BITS, ("road", "sky"))["sky"])
    assert [mask.area for mask in masks] == [450, 450]
    assert [mask.xyxy.tolist() for mask in masks] == [[5, 10, 50, 20]] * 2  # type: ignore[union-attr]
    assert masks[0].xyxy is not None
    assert masks[0].xyxy.dtype == np.float32


def test_an_empty_region_has_no_extent() -> None:
    empty = yg.Mask(np.zeros((48, 64), bool))
    assert empty.xyxy is None
    assert empty.area == 0


def shown(value: Any) -> np.ndarray:
    with Image.open(BytesIO(value._repr_png_())) as image:
        return np.asarray(image.convert("RGB"))


def test_notebooks_show_regions_and_classes_in_their_colours() -> None:
    mask, labels = shown(yg.Mask(BITS)), shown(yg.LabelMap(BITS * 2 - 1, ("road", "sky")))
    assert mask[15, 10].tolist() == list(colour(0))
    assert labels[15, 10].tolist() == list(colour(1))
    assert mask[0, 0].tolist() == labels[0, 0].tolist() == list(BACKGROUND)
    assert mask.shape == labels.shape == (48, 64, 3)


def test_notebooks_show_near_as_warm_and_invalid_as_grey() -> None:
    near, far, invalid = shown(yg.DepthMap([[1, 9, 0]], "m"))[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert tuple(invalid) == INVALID


def test_notebooks_show_large_maps_smaller() -> None:
    assert shown(yg.Mask(np.zeros((500, 3000), bool))).shape == (167, 1000, 3)


def test_a_value_without_pixels_has_its_repr_only() -> None:
    assert yg.Mask(np.zeros((0, 5), bool))._repr_png_() is None
