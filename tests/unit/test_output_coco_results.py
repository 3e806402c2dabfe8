"""Objects as COCO's results: by hand, and as COCOeval loads and scores them."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.output.coco_results import CocoResults
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import Size

BITS = np.zeros((40, 60), np.bool_)
BITS[10:30, 20:50] = True


def test_a_result_has_the_ids_of_the_annotations_and_its_score() -> None:
    results = CocoResults({"cup": 47})
    left_out = results.add(139, yg.Boxes([[1, 2, 3.456, 4], [0, 0, 1, 1]], ("cup", "mug"), np.array([0.5, 0.25])))
    assert results.to_list() == [{"image_id": 139, "category_id": 47, "bbox": [1, 2, 2.46, 2], "score": 0.5}]
    assert left_out == ("mug",)


def test_masks_and_persons_bring_their_pixels_and_joints() -> None:
    results = CocoResults({"object": 1, "person": 2})
    results.add(1, yg.Mask(BITS, 0.0))
    xyv = np.ones((1, 16, 3), np.float32)
    results.add(2, yg.Poses(xyv, [[0, 0, 5, 5]], scores=np.array([0.5])))
    mask, person = results.to_list()
    assert (mask["segmentation"], mask["score"]) == (coco_rle(BITS), 0)
    assert (person["category_id"], person["keypoints"]) == (2, [1, 1, 2] * 16)


def test_objects_without_scores_are_refused() -> None:
    with pytest.raises(yg.InputError, match="ranked by scores"):
        CocoResults({"cup": 1}).add(1, yg.Boxes([[1, 2, 3, 4]], ("cup",)))


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_cocoeval_scores_the_truth_as_perfect(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    pycocotools = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    found = yg.Instances(np.stack([BITS, ~BITS]), [[20, 10, 50, 30], [0, 0, 60, 40]], ("cup", "wall"), [0.9, 0.8])
    truth = CocoDataset(["cup", "wall"])
    truth.add("a.jpg", Size(60, 40), found)
    coco = pycocotools.COCO()
    coco.dataset = truth.to_dict()
    coco.createIndex()
    results = CocoResults({"cup": 1, "wall": 2})
    results.add(1, found)
    scored = COCOeval(coco, coco.loadRes(results.to_list()), kind)
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    assert scored.stats[0] == pytest.approx(1, abs=1e-12)  # COCOeval adds the smallest float to what it divides by
