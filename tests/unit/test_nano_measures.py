"""The measures of drawn scenes: worked values, and what constant answers get."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts.nano.baselines import baselines
from scripts.nano.measures import Confusion, Detections, box_iou, depth_errors
from scripts.nano.questions import category_samples, counting_samples, grounding_samples
from scripts.nano.scenes import CLASSES, TEST_SEEDS, THINGS, Scene, Thing, draw


@pytest.fixture(scope="module")
def scene() -> Scene:
    return draw(TEST_SEEDS)


def with_things(scene: Scene, *boxes: tuple[float, float, float, float], kind: str = "star") -> Scene:
    shown = np.zeros((100, 100), np.bool_)
    return replace(scene, things=tuple(Thing(kind, "red", box, shown, 1.0, "", None) for box in boxes))


def test_overlap_of_boxes_has_the_worked_value() -> None:
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 10, 10), (20, 0, 30, 10)) == 0


def test_overlap_of_classes_has_the_worked_value(scene: Scene) -> None:
    """One of two pixels of each class is found; one has no class, and one a strange name: these are wrong."""
    truth = replace(scene, labels=np.array([[0, 0], [1, 1]]))
    confusion = Confusion()
    confusion.add(truth, np.array([[0, -1], [1, 2]]), (CLASSES[0], CLASSES[1], "cloud"))
    assert confusion.iou() == {CLASSES[0]: 1 / 2, CLASSES[1]: 1 / 2}
    assert confusion.mean() == 1 / 2


def test_the_order_of_boxes_is_that_of_their_areas_or_of_their_scores(scene: Scene) -> None:
    """One of two boxes is right, the smaller: by area it comes second, so at every recall the precision is 1/2."""
    detections = Detections()
    found = np.array([[0, 0, 50, 50], [60, 60, 80, 80]], np.float32)
    detections.add(
        with_things(scene, (60, 60, 80, 80)), found, ("star", "star"), scores=np.array([0.2, 0.9], np.float32)
    )
    assert detections.ap50() == pytest.approx(1 / 2)
    assert detections.ap50("scores") == 1


def test_boxes_of_strange_names_do_not_count(scene: Scene) -> None:
    detections = Detections()
    found = np.array([[0, 0, 50, 50], [60, 60, 80, 80]], np.float32)
    detections.add(with_things(scene, (60, 60, 80, 80)), found, ("cloud", "star"))
    assert detections.ap50() == 1


def test_an_image_without_boxes_counts(scene: Scene) -> None:
    """Two things in two images, one of which is found: recall ends at 1/2, which 51 of 101 thresholds do not exceed."""
    detections = Detections()
    detections.add(with_things(scene, (0, 0, 9, 9)), np.zeros((0, 4), np.float32), ())
    detections.add(with_things(scene, (0, 0, 9, 9)), np.array([[0, 0, 9, 9]], np.float32), ("star",))
    assert detections.ap50() == pytest.approx(51 / 101)


def test_errors_of_distances_have_the_worked_values(scene: Scene) -> None:
    """A pixel is right, one is twice as far, one is unknown."""
    truth = replace(scene, depth=np.array([[2.0, 3.0, 0.0]], np.float32))
    assert depth_errors(np.array([[2.0, 6.0, 9.0]], np.float32), truth) == (0.5, 0.5)


def test_questions_have_the_truth_of_the_scene(scene: Scene) -> None:
    (everything, *_) = counting_samples(scene)
    assert (everything.asked["what"], everything.truth) == ("object", len(scene.things))
    assert {sample.truth.xyxy for sample in grounding_samples(scene)} <= {thing.box for thing in scene.things}
    for sample in category_samples(scene):
        assert THINGS[sample.truth.numbers[0]] == sample.truth.name


def test_constant_answers_get_what_can_be_counted_by_hand() -> None:
    scenes = [draw(TEST_SEEDS + i) for i in range(4)]
    numbers = [sample.truth for scene in scenes for sample in counting_samples(scene)]
    best = max(sorted(set(numbers)), key=numbers.count)
    found = baselines(4)
    assert found["count_exact"] == {f"always {best}": pytest.approx(numbers.count(best) / len(numbers), abs=1e-4)}
    pixels = np.sum([np.bincount(scene.labels.ravel(), minlength=len(CLASSES)) for scene in scenes], axis=0)
    ((name, miou),) = found["segment_all_miou"].items()
    assert name == f"{CLASSES[pixels.argmax()]} everywhere"
    assert miou == pytest.approx(pixels.max() / pixels.sum() / np.count_nonzero(pixels), abs=1e-4)
    assert 0 < found["depth_d1"]["median distance"] < 1
