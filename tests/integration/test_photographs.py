"""Every task on real photographs with the tiny random pair: typed values, right shapes, source pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg

NAMES = ["astronaut", "cat", "rocket"]
CLASSES = ["sky", "person", "cat"]


@pytest.fixture(params=NAMES)
def scene(request: pytest.FixtureRequest, tiny_model: yg.Model, photographs: dict[str, Path]) -> yg.Scene:
    return tiny_model.open(photographs[request.param])


def test_the_sideways_photograph_comes_upright(tiny_model: yg.Model, photographs: dict[str, Path]) -> None:
    from skimage import data

    scene = tiny_model.open(photographs["rocket"])
    assert scene.rgb.shape == data.rocket().shape
    assert np.abs(scene.rgb.astype(int) - data.rocket()).mean() < 5  # JPEG


def test_frames_and_grid_fit_together(scene: yg.Scene) -> None:
    height, width, _ = scene.rgb.shape
    assert scene.size == (width, height)
    assert scene.transform.prepared == (scene.grid.cols * 32, scene.grid.rows * 32)
    assert scene.patches().grid == scene.grid


def test_free_answers_are_text(scene: yg.Scene) -> None:
    for answer in (scene.describe(), scene.ask("What is it?"), scene.ocr(), scene.classify()):
        assert answer.value == answer.raw.strip()
        assert 1 <= answer.timings.n_generated <= 24
        assert answer.finish in ("stop", "length")


def test_streamed_answer_is_the_whole_answer(scene: yg.Scene) -> None:
    assert "".join(scene.ask("What is it?", stream=True)) == scene.ask("What is it?").raw


def test_box_tasks_give_boxes_and_name_what_is_wrong(scene: yg.Scene) -> None:
    for boxes in (scene.ground("the cat"), scene.detect(["cat", "sky"]), scene.detect()):
        assert boxes.xyxy.shape == (len(boxes.labels), 4)
        assert boxes.raw
        assert boxes.issues  # random words hold no whole box


def test_polygon_gives_polygons(scene: yg.Scene) -> None:
    outlines = scene.polygon("the cat")
    assert len(outlines.parts) == len(outlines.labels)
    assert outlines.issues


def test_random_words_hold_no_person_and_no_number(scene: yg.Scene) -> None:
    poses, count = scene.pose(), scene.count("cat")
    assert poses.xyv.shape == (len(poses), 16, 3)
    assert poses.issues
    assert count.value is None or str(count.value) in count.raw


def test_referring_by_box_masks_inside_its_surroundings_and_generates_nothing(scene: yg.Scene) -> None:
    mask = scene.refer(box=(100, 80, 200, 180), crop_size=160)
    assert mask.bits.shape == scene.rgb.shape[:2]
    outside = mask.bits.copy()
    outside[70:190, 90:210] = False
    assert not outside.any()
    assert mask.timings.n_generated == 0
    assert mask.timings.n_image_tokens == 25


def test_referring_leaves_the_scenes_prefix_in_place(tiny_model: yg.Model, photographs: dict[str, Path]) -> None:
    scene = tiny_model.open(np.fliplr(tiny_model.open(photographs["cat"]).rgb))  # not remembered from other tests
    first = scene.ask("What is it?")
    mask = scene.refer(box=(100, 80, 200, 180), crop_size=160)
    second = scene.ask("What is it?")
    assert mask.timings.encode_s > 0
    assert mask.timings.prefill_s > 0
    assert second.timings.encode_s == second.timings.prefill_s == 0
    assert second.raw == first.raw


def test_segmenting_given_classes_labels_every_pixel_and_generates_nothing(scene: yg.Scene) -> None:
    labels = scene.segment(CLASSES, present="all")
    assert labels.ids.shape == scene.rgb.shape[:2]
    assert labels.classes == tuple(CLASSES)
    assert labels.ids.min() >= 0
    assert labels.ids.max() < len(CLASSES)
    assert (labels.raw, labels.finish, labels.timings.n_generated) == ("", "none", 0)


@pytest.mark.parametrize("name", NAMES)
def test_background_leaves_pixels_without_a_class(
    name: str, tiny_model: yg.Model, photographs: dict[str, Path]
) -> None:
    # With "grid" softmax and sigmoid are upsampled, which may cross at borders; scores are the same with both.
    calibration = replace(tiny_model.calibration, normalise="pixels")
    scene = yg.Model(tiny_model.engine, tiny_model.settings, calibration).open(photographs[name])
    forced = scene.segment(CLASSES, present="all", refine="none").ids
    free = scene.segment(CLASSES, present="all", background=True).ids
    assert set(np.unique(free)) <= {-1, 0, 1, 2}
    assert np.array_equal(free[free >= 0], forced[free >= 0])


def test_classes_the_model_does_not_name_are_left_out(scene: yg.Scene) -> None:
    labels = scene.segment(CLASSES)
    assert labels.finish != "none"
    assert labels.issues
    assert labels.ids.shape == scene.rgb.shape[:2]


@pytest.mark.parametrize(
    ("scale", "focal_px", "unit", "near", "far"),
    [
        ("open", None, "relative", 0.5, 100),
        ("open", 500.0, "m", 0, 100),
        ("nyuv2", None, "m", 0, 10),
        ("cityscapes", None, "m", 0, 80),
        ("ddad", None, "m", 0.05, 120),
    ],
)
def test_depth_lies_in_the_range_of_its_scale(
    scene: yg.Scene, scale: str, focal_px: float | None, unit: str, near: float, far: float
) -> None:
    depth = scene.depth(scale=scale, focal_px=focal_px)
    assert depth.values.shape == scene.rgb.shape[:2]
    assert depth.unit == unit
    assert near - 1e-3 <= depth.values.min()
    assert depth.values.max() <= far + 1e-3


def test_later_questions_pay_nothing_for_the_image(tiny_model: yg.Model, photographs: dict[str, Path]) -> None:
    scene = tiny_model.open(np.flipud(tiny_model.open(photographs["cat"]).rgb))  # not remembered from other tests
    first, second = scene.depth(), scene.ask("And?")
    assert first.timings.encode_s > 0
    assert second.timings.encode_s == second.timings.prefill_s == 0


def test_strict_decoding_refuses_random_words(scene: yg.Scene) -> None:
    with pytest.raises(yg.DecodeError, match="flawless"):
        scene.ground("the cat", strict=True)
