"""Masks of phrases: how they are asked and measured, on drawn scenes in RefCOCO's layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as masks

import youtu_gguf as yg
from scripts.layouts import refcoco
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.unit.test_tasks_refer import HEAD, IMAGE, TAGS
from youtu_gguf.evaluate import BENCHMARKS, Data, Prediction, Sample
from youtu_gguf.evaluate.data.segmentation import mask_of, rle_of
from youtu_gguf.evaluate.kinds.grounding import Region
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Bits, Size

MASKS = BENCHMARKS["refcoco-masks"]
NAMES = ("refcoco-masks", "refcoco+-masks", "refcocog-masks")
ALL_SPLITS = [(name, split) for name in NAMES for split in BENCHMARKS[name].splits]
FAST = MASKS.options("fast", {"refine": "none", "crop_size": 320})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refer")
    refcoco.export(folder, 6)
    return folder


def figures(data: Data, answer: Callable[[Sample], Prediction | None]) -> dict[str, float]:
    measure = MASKS.kind.measure(data, MASKS.options())
    for sample in data.samples:
        measure.add(sample, answer(sample))
    return measure.figures()


def block(left: int, right: int, width: int = 100) -> Bits:
    bits = np.zeros((40, width), np.bool_)
    bits[:10, left:right] = True
    return bits


def sample_of(bits: Bits, name: str = "0-0", image: str = "a") -> Sample:
    size = Size(bits.shape[1], bits.shape[0])
    region = Region((0, 0, 1, 1), size, rle_of(coco_rle(bits), size))
    return Sample(name, Path(f"/{image}.jpg"), {"sent": "the square"}, region)


def said(bits: Bits) -> Prediction:
    return Prediction({"mask": coco_rle(bits)})


@pytest.mark.parametrize(("name", "split"), ALL_SPLITS)
def test_the_truth_as_answer_is_all_right(folder: Path, name: str, split: str) -> None:
    data = BENCHMARKS[name].read(folder, split)
    assert figures(data, MASKS.kind.perfect) == {"ciou": 1.0, "giou": 1.0, "precision": 1.0}


def test_true_masks_are_those_of_the_scenes(folder: Path) -> None:
    for name in NAMES:
        for sample in BENCHMARKS[name].read(folder, "val").samples:
            scene = draw(TEST_SEEDS + int(sample.image.stem[-12:]) - 1)
            form = MASKS.kind.perfect(sample).form["mask"]
            assert any(np.array_equal(mask_of(form, sample.truth.size), thing.mask) for thing in scene.things)


def test_large_objects_count_more_in_one_figure_and_alike_in_the_other() -> None:
    samples = [sample_of(block(0, 80), "0-0"), sample_of(block(0, 10), "0-1")]
    answers = [said(block(0, 40)), said(block(0, 10))]
    # 400 of 800 pixels, and 100 of 100: 500 / 900 of all pixels, and (0.5 + 1) / 2
    found = figures(Data(samples, Path("/")), lambda sample: answers[samples.index(sample)])
    assert found == {"ciou": 500 / 900, "giou": 0.75, "precision": 1.0}


def test_a_shifted_mask_has_the_worked_overlap() -> None:
    found = figures(Data([sample_of(block(20, 60))], Path("/")), lambda _: said(block(40, 80)))
    assert found == {"ciou": 20 / 60, "giou": 20 / 60, "precision": 0.0}


def test_an_answer_that_failed_is_one_without_pixels() -> None:
    samples = [sample_of(block(0, 30), "0-0"), sample_of(block(0, 10), "0-1")]
    failed = figures(Data(samples, Path("/")), lambda s: None if s.id == "0-0" else said(block(0, 10)))
    empty = figures(Data(samples, Path("/")), lambda s: said(block(0, 0 if s.id == "0-0" else 10)))
    assert failed == empty == {"ciou": 100 / 400, "giou": 0.5, "precision": 0.5}


def test_figures_can_be_made_again_for_images_drawn_with_repetition() -> None:
    samples = [
        sample_of(block(0, 40), "0-0", "a"),
        sample_of(block(0, 40), "0-1", "a"),
        sample_of(block(0, 9), "1-2", "b"),
    ]
    answers = {"0-0": said(block(0, 10)), "0-1": said(block(0, 40)), "1-2": said(block(0, 9))}
    measure = MASKS.kind.measure(Data(samples, Path("/")), MASKS.options())
    for sample in samples:
        measure.add(sample, answers[sample.id])
    drawn = measure.figures(np.array([2.0, 0.0]))
    assert drawn == {"ciou": 500 / 800, "giou": (0.25 + 1) / 2, "precision": 0.5}
    assert np.isnan(list(measure.figures(np.zeros(2)).values())).all()
    assert np.isnan(list(MASKS.kind.measure(Data([], Path("/")), {}).figures().values())).all()


def test_overlaps_are_those_of_pycocotools_and_of_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        height, width = rng.integers(1, 30, 2).tolist()
        truth, answer = (rng.random((2, height, width)) < rng.random((2, 1, 1))).astype(np.bool_)
        if not truth.any():
            continue
        found = figures(Data([sample_of(truth)], Path("/")), lambda _, answer=answer: said(answer))  # type: ignore[misc]
        assert found["giou"] == found["ciou"] == (truth & answer).sum() / (truth | answer).sum()
        theirs = masks.iou([_packed(answer)], [_packed(truth)], [0])[0][0]
        assert found["giou"] == pytest.approx(theirs, abs=1e-12)


def _packed(bits: Bits) -> dict[str, Any]:
    rle: dict[str, Any] = masks.encode(np.asfortranarray(bits.astype(np.uint8)))
    return rle


WRONG: dict[str, tuple[Any, str]] = {
    "no mask": ({}, "expected 'mask'"),
    "a number": ({"mask": 5}, "'mask' to be dict or list"),
    "another size": ({"mask": coco_rle(block(0, 9, 99))}, "as its image"),
    "too many pixels": ({"mask": {"size": [40, 100], "counts": [0, 10**9]}}, "whole numbers"),
    "too few pixels": ({"mask": {"size": [40, 100], "counts": [0, 10]}}, "runs of 4000 pixels"),
    "no run lengths": ({"mask": {"size": [40, 100], "counts": "\x7f\x01"}}, "run lengths"),
}


@pytest.mark.parametrize(("form", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_mask_of_the_image_is_refused(form: Any, message: str) -> None:
    with pytest.raises(yg.InputError, match=f"answer to 0-0.*{message}"):
        figures(Data([sample_of(block(0, 9))], Path("/")), lambda _: Prediction(form))


def ask(answers: dict[str, str], found: str) -> tuple[Bits, FakeEngine]:
    engine = FakeEngine(answers, head=HEAD, vocabulary=TAGS)
    scene = yg.load(engine=engine).open(IMAGE)
    form = MASKS.kind.ask(scene, sample_of(IMAGE[..., 0] > 0), {**FAST, "found": found}).form
    return mask_of(form["mask"], scene.size), engine


POLYGON = "<ins><poly><x_64><y_32><x_96><y_32><x_96><y_64></poly></ins>"
BOX = "<box><x_64><y_32><x_96><y_64></box>"


@pytest.mark.parametrize(("answer", "found"), [({"segment": POLYGON}, "polygon"), ({"bounding box": BOX}, "ground")])
def test_the_mask_is_made_around_the_outline_or_the_box(answer: dict[str, str], found: str) -> None:
    bits, engine = ask(answer, found)
    assert figures(Data([sample_of(IMAGE[..., 0] > 0)], Path("/")), lambda _: said(bits))["giou"] > 0.9
    assert len(engine.questions) == 1
    assert "the square" in engine.questions[0]


def test_both_ways_give_the_same_mask_for_the_same_box() -> None:
    assert np.array_equal(ask({"segment": POLYGON}, "polygon")[0], ask({"bounding box": BOX}, "ground")[0])


@pytest.mark.parametrize("answer", ["There is none.", "<poly><x_300><y_300><x_310><y_300><x_310><y_310></poly>"])
def test_without_a_place_in_the_image_the_mask_is_empty(answer: str) -> None:
    assert not ask({"segment": answer}, "polygon")[0].any()


def test_baselines_are_the_image_and_a_rectangle(folder: Path) -> None:
    data = MASKS.read(folder, "val")
    baselines = MASKS.kind.baselines(data, MASKS.options())
    (sample, *_) = data.samples
    whole, middle = (mask_of(answer(sample).form["mask"], sample.truth.size) for answer in baselines.values())
    assert whole.all()
    assert 0 < middle.sum() < whole.size / 2
    assert 0 < figures(data, baselines["whole image"])["ciou"] < 0.5


def test_answers_of_others_are_read_by_sentence(folder: Path, tmp_path: Path) -> None:
    data = MASKS.read(folder, "val")
    rows = [
        {"sent_id": int(sample.id.split("-")[1]), "segmentation": MASKS.kind.perfect(sample).form["mask"]}
        for sample in data.samples
    ]
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(rows))
    found = MASKS.kind.read_predictions(path, data)
    assert figures(data, lambda sample: found[sample.id])["ciou"] == 1.0


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [(None, "expected outlines"), ([[0, 0, 9]], "three points"), ({"size": [1, 1], "counts": [1]}, "as its image")],
)
def test_a_broken_true_mask_is_found_before_anything_is_asked(
    folder: Path, tmp_path: Path, segmentation: Any, message: str
) -> None:
    shutil.copytree(folder / "refcoco", tmp_path / "copy" / "refcoco")
    path = tmp_path / "copy" / "refcoco" / "instances.json"
    form = json.loads(path.read_text())
    form["annotations"][0]["segmentation"] = segmentation
    path.write_text(json.dumps(form))
    with pytest.raises(yg.InputError, match=rf"instances.json, annotations\[0\].*{message}"):
        MASKS.read(tmp_path / "copy", "val")
    assert BENCHMARKS["refcoco"].read(tmp_path / "copy", "val").samples, "boxes do not need it"
