"""Values check their arrays once and cannot be changed afterwards."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.facts import MPII_JOINTS, MPII_SKELETON, N_JOINTS
from youtu_gguf.types import Size, Transform, run_lengths


@pytest.mark.parametrize(
    "make",
    [
        lambda: yg.Boxes([[1, 2, 3]], ("a",)),
        lambda: yg.Boxes([[1, 2, 3, 4]], ()),
        lambda: yg.Boxes([[1, 2, 3, 4]], ("a",), np.array([1, 2])),
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
