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


@pytest.fixture(params=["a stand-in", "supervision"])
def supervision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "supervision":
        return pytest.importorskip("supervision")
    module: Any = ModuleType("supervision")
    module.Detections = Detections
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


@pytest.mark.parametrize("value", [BOXES, yg.Mask(BITS), yg.Instances(BITS[None], [[2, 1, 5, 3]], ("cup",))])
def test_without_the_package_the_error_says_how_to_get_it(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(yg.CapabilityError, match="pip install supervision"):
        value.to_supervision()
