"""Objects as detections of the package supervision: a stand-in here, the package itself where it is installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg

BITS = np.zeros((6, 8), bool)
BITS[1:3, 2:5] = True
BOXES = yg.Boxes(np.arange(12).reshape(3, 4), ("car", "dog", "car"), np.array([0.25, 0.5, np.nan]))


class Detections(SimpleNamespace):
    """Keeps what it is made of."""


class KeyPoints(SimpleNamespace):
    """Keeps what it is made of."""

    def __init__(
        self, *, xy: Any, class_id: Any, keypoint_confidence: Any, detection_confidence: Any, visible: Any, data: Any
    ) -> None:
        super().__init__(
            xy=xy,
            class_id=class_id,
            keypoint_confidence=keypoint_confidence,
            detection_confidence=detection_confidence,
            visible=visible,
            data=data,
        )


class OldKeyPoints(SimpleNamespace):
    """As before supervision 0.29."""

    def __init__(self, xy: Any, class_id: Any = None, confidence: Any = None) -> None:
        super().__init__(xy=xy, class_id=class_id, confidence=confidence)


@pytest.fixture(params=["a stand-in", "supervision"])
def supervision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "supervision":
        return pytest.importorskip("supervision")
    module: Any = ModuleType("supervision")
    module.Detections, module.KeyPoints = Detections, KeyPoints
    monkeypatch.setitem(sys.modules, "supervision", module)
    return module


def test_boxes_become_detections_with_a_class_per_name(supervision: Any) -> None:
    found = BOXES.to_supervision()
    assert isinstance(found, supervision.Detections)
    assert found.xyxy.tolist() == BOXES.xyxy.tolist()
    assert found.class_id.tolist() == [0, 1, 0]
    assert found.data["class_name"].tolist() == ["car", "dog", "car"]
    assert found.confidence[:2].tolist() == [0.25, 0.5]
    assert found.mask is None


def test_what_has_no_scores_has_no_confidence(supervision: Any) -> None:
    assert yg.Boxes([[1, 2, 3, 4]], ("car",)).to_supervision().confidence is None
    assert yg.Boxes([], ()).to_supervision().xyxy.shape == (0, 4)


def test_instances_and_masks_bring_their_masks(supervision: Any) -> None:
    instances = yg.Instances(BITS[None], [[2, 1, 5, 3]], ("cup",), [0.5]).to_supervision()
    mask = yg.Mask(BITS, 0.5).to_supervision()
    for found in (instances, mask):
        assert found.mask.tolist() == [BITS.tolist()]
        assert found.xyxy.tolist() == [[2, 1, 5, 3]]
        assert found.confidence.tolist() == [0.5]


def test_an_empty_mask_is_no_detection(supervision: Any) -> None:
    found = yg.Mask(np.zeros((6, 8), bool), 0.0).to_supervision()
    assert (found.xyxy.shape, found.mask.shape, found.confidence.shape) == ((0, 4), (0, 6, 8), (0,))


def test_detections_may_be_written_to(supervision: Any) -> None:
    found = BOXES.to_supervision()
    found.xyxy[0, 0] = 99
    found.confidence[0] = 1
    assert BOXES.xyxy[0, 0] == 0


XYV = np.full((2, 16, 3), np.nan, np.float32)
XYV[..., :2] = 3, 4
XYV[0, 0] = 9, 9, 0
XYV[0, 1, 2] = 0.5
POSES = yg.Poses(XYV, [[1, 2, 3, 4], [5, 6, 7, 8]], scores=np.array([0.5, 0.25]))


def test_persons_become_key_points_whose_missing_joints_are_not_visible(supervision: Any) -> None:
    found = POSES.to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    assert found.xy.shape == (2, 16, 2)
    assert found.xy[0, :2].tolist() == [[0, 0], [3, 4]]
    assert np.flatnonzero(~found.visible).tolist() == [0]
    assert found.keypoint_confidence[0, :2].tolist() == [0, 0.5]
    assert found.detection_confidence.tolist() == [0.5, 0.25]
    assert found.class_id.tolist() == [0, 0]
    assert found.data["class_name"].tolist() == ["person"] * 2
    assert found.data["xyxy"].tolist() == POSES.boxes.tolist()
    found.xy[0, 1] = 0
    assert POSES.xyv[0, 1, 0] == 3


def test_persons_without_visibilities_or_scores_have_no_confidences(supervision: Any) -> None:
    found = yg.Poses(XYV[1:], [[1, 2, 3, 4]]).to_supervision()
    assert found.keypoint_confidence is found.detection_confidence is None
    assert yg.Poses(np.zeros((0, 16, 3)), np.zeros((0, 4))).to_supervision().xy.shape == (0, 16, 2)


def test_an_older_supervision_is_refused_by_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("supervision")
    module.KeyPoints = OldKeyPoints
    monkeypatch.setitem(sys.modules, "supervision", module)
    with pytest.raises(yg.CapabilityError, match=r'pip install "supervision>=0\.29"'):
        POSES.to_supervision()


def test_supervision_itself_draws_and_boxes_the_persons() -> None:
    package = pytest.importorskip("supervision")
    found = POSES.to_supervision()
    edges = [(a + 1, b + 1) for a, b in POSES.skeleton]
    drawn = package.EdgeAnnotator(edges=edges).annotate(np.zeros((12, 12, 3), np.uint8), found)
    assert drawn.shape == (12, 12, 3)
    assert found.as_detections().xyxy.tolist() == [[3, 4, 3, 4], [3, 4, 3, 4]]


@pytest.mark.parametrize("value", [POSES, BOXES, yg.Mask(BITS), yg.Instances(BITS[None], [[2, 1, 5, 3]], ("cup",))])
def test_without_the_package_the_error_says_how_to_get_it(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(yg.CapabilityError, match="pip install supervision"):
        value.to_supervision()
