"""Boxes of phrases: how they are read, asked and measured, on drawn scenes in RefCOCO's layout."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as masks

import youtu_gguf as yg
from scripts.layouts import refcoco
from scripts.nano.scenes import TEST_SEEDS, draw, referring
from youtu_gguf.evaluate import BENCHMARKS, Benchmark, Data, Prediction, Sample
from youtu_gguf.evaluate.kinds.grounding import Region, Xyxy, box_iou
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Size

N = 6
BOXES = BENCHMARKS["refcoco"]
ALL_SPLITS = [(name, split) for name in ("refcoco", "refcoco+", "refcocog") for split in BENCHMARKS[name].splits]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refer")
    refcoco.export(folder, N)
    return folder


def figures(benchmark: Benchmark, data: Data, answer: Callable[[Sample], Prediction | None]) -> dict[str, float]:
    measure = benchmark.kind.measure(data, benchmark.options())
    for sample in data.samples:
        measure.add(sample, answer(sample))
    return measure.figures()


def one(xyxy: Xyxy = (10, 20, 50, 60)) -> Sample:
    return Sample("0-0", Path("/x.jpg"), {"sent": "the cup"}, Region(xyxy, Size(100, 80)))


def judged(box: Any, sample: Sample | None = None) -> dict[str, float]:
    sample = sample or one()
    return figures(BOXES, Data([sample], Path("/")), lambda _: Prediction({"box": box}))


@pytest.mark.parametrize(("name", "split"), ALL_SPLITS)
def test_the_truth_as_answer_is_all_right(folder: Path, name: str, split: str) -> None:
    data = BENCHMARKS[name].read(folder, split)
    assert figures(BENCHMARKS[name], data, BENCHMARKS[name].kind.perfect) == {
        "accuracy": 1.0, "mean_iou": 1.0, "no_box": 0.0,
    }  # fmt: skip


def test_every_phrase_of_the_split_is_a_sample(folder: Path) -> None:
    data = BOXES.read(folder, "val")
    expected = [
        (i, words, draw(TEST_SEEDS + i).things[k].box)
        for i in (0, 3)
        for words, k in sorted(referring(draw(TEST_SEEDS + i)), key=lambda pair: pair[1])
    ]
    found = [(int(sample.image.stem[-12:]) - 1, sample.asked["sent"], sample.truth.xyxy) for sample in data.samples]
    assert found == expected
    assert all(sample.image.is_file() for sample in data.samples)
    assert len({sample.id for sample in data.samples}) == len(found)


def test_splits_do_not_overlap(folder: Path) -> None:
    ids = [{sample.id for sample in BOXES.read(folder, split).samples} for split in BOXES.splits]
    assert sum(map(len, ids)) == len(set.union(*ids))


def test_json_is_read_in_place_of_the_pickle(folder: Path, tmp_path: Path) -> None:
    copy = with_refs(folder, tmp_path, lambda refs: None)
    with_pickle = BOXES.read(copy, "val").samples
    path = copy / "refcoco" / "refs(unc).p"
    (copy / "refcoco" / "refs(unc).json").write_text(json.dumps(pickle.loads(path.read_bytes())))
    path.unlink()
    assert [(s.id, s.asked, s.truth.xyxy) for s in BOXES.read(copy, "val").samples] == [
        (s.id, s.asked, s.truth.xyxy) for s in with_pickle
    ]


@pytest.mark.parametrize("place", ["images/train2014", "train2014"])
def test_images_may_lie_elsewhere(folder: Path, tmp_path: Path, place: str) -> None:
    copy = with_refs(folder, tmp_path, lambda refs: None)
    (copy / place).parent.mkdir(exist_ok=True)
    (copy / place).symlink_to(folder / "images/mscoco/images/train2014")
    assert all(sample.image.parent == copy / place for sample in BOXES.read(copy, "val").samples)
    assert all(sample.image.is_file() for sample in BOXES.read(copy, "val").samples)


def test_a_shifted_box_has_the_worked_overlap() -> None:
    # 40x40 shifted by 10 to the right: 30 * 40 in both, 2 * 1600 - 1200 in either
    assert judged([20, 20, 60, 60]) == {"accuracy": 1.0, "mean_iou": 1200 / 2000, "no_box": 0.0}
    assert judged([30, 20, 70, 60]) == {"accuracy": 0.0, "mean_iou": 800 / 2400, "no_box": 0.0}


def test_half_is_right_and_less_is_not() -> None:
    assert judged([10, 20, 50, 40])["accuracy"] == 1.0  # the upper half
    assert judged([10, 20, 50, 39.99])["accuracy"] == 0.0


@pytest.mark.parametrize("box", [[50, 60, 10, 20], [10, 20, 10, 60], [60, 20, 90, 60]])
def test_a_box_without_pixels_in_common_is_wrong(box: list[float]) -> None:
    assert judged(box) == {"accuracy": 0.0, "mean_iou": 0.0, "no_box": 0.0}


def test_no_box_and_no_answer_are_wrong() -> None:
    wrong = {"accuracy": 0.0, "mean_iou": 0.0, "no_box": 1.0}
    assert judged(None) == wrong
    assert figures(BOXES, Data([one()], Path("/")), lambda _: None) == wrong


@pytest.mark.parametrize("box", [[1, 2, 3], "1 2 3 4", [1, 2, 3, float("nan")], [1, 2, 3, "4"], [0, 0, 1, True]])
def test_what_is_no_box_is_refused(box: Any) -> None:
    with pytest.raises(yg.InputError, match="answer to 0-0"):
        judged(box)


def test_overlaps_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    corner, side = rng.uniform(-20, 40, (2, 60, 2)), rng.choice((0, 1, 7.5, 30), (2, 60, 2))
    boxes = np.concatenate([corner, side], axis=2)
    theirs = masks.iou(boxes[0], boxes[1], [0] * 60)
    xyxy = np.concatenate([corner, corner + side], axis=2)
    ours = [[box_iou(tuple(a), tuple(b)) for b in xyxy[1].tolist()] for a in xyxy[0].tolist()]
    # Theirs multiplies and adds in another order; where both boxes are empty it divides 0 by 0.
    np.testing.assert_allclose(ours, np.nan_to_num(theirs), rtol=0, atol=1e-12)


def test_the_model_is_asked_for_the_phrase_and_its_first_box_counts() -> None:
    answer = "<box><x_16><y_16><x_32><y_32></box><box><x_0><y_0><x_96><y_96></box>"
    scene = yg.load(engine=FakeEngine({"the cup": answer})).open(np.zeros((96, 96, 3), np.uint8))
    first = BOXES.kind.ask(scene, one(), BOXES.options())
    largest = BOXES.kind.ask(scene, one(), BOXES.options(changed={"box": "largest"}))
    assert (first.form, largest.form) == ({"box": [16, 16, 32, 32]}, {"box": [0, 0, 96, 96]})


def test_an_answer_without_a_box_is_recorded_as_such() -> None:
    scene = yg.load(engine=FakeEngine({"the cup": "I see no cup."})).open(np.zeros((96, 96, 3), np.uint8))
    assert BOXES.kind.ask(scene, one(), BOXES.options()).form == {"box": None}


def test_a_text_that_the_data_lack_cannot_be_asked_for() -> None:
    scene = yg.load(engine=FakeEngine()).open(np.zeros((96, 96, 3), np.uint8))
    with pytest.raises(yg.InputError, match=r"text 'raw'; it has none. Use --set text=sent"):
        BOXES.kind.ask(scene, one(), BOXES.options(changed={"text": "raw"}))


def test_baselines_are_the_image_and_its_middle() -> None:
    samples = [one((0, 0, 50, 40)), one((50, 0, 80, 40))]  # 0.5 and 0.3 of the width, half of the height
    baselines = BOXES.kind.baselines(Data(samples, Path("/")), BOXES.options())
    boxes = {name: answer(samples[0]).form["box"] for name, answer in baselines.items()}
    assert boxes["whole image"] == [0, 0, 100, 80]
    assert boxes["middle of the image, mean size"] == pytest.approx([30, 20, 70, 60])


def test_answers_of_others_are_read_by_sentence(folder: Path, tmp_path: Path) -> None:
    data = BOXES.read(folder, "val")
    rows = []
    for sample in data.samples:
        left, top, right, bottom = sample.truth.xyxy
        rows.append({"sent_id": int(sample.id.split("-")[1]), "bbox": [left, top, right - left, bottom - top]})
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(rows))
    found = BOXES.kind.read_predictions(path, data)
    assert figures(BOXES, data, lambda sample: found[sample.id])["mean_iou"] == 1.0
    path.write_text(json.dumps([*rows, rows[3]]))
    with pytest.raises(yg.InputError, match=rf"boxes.json, \[{len(rows)}\].*once"):
        BOXES.kind.read_predictions(path, data)
    path.write_text("{}")
    with pytest.raises(yg.InputError, match=r"boxes.json: expected a list"):
        BOXES.kind.read_predictions(path, data)


def with_refs(folder: Path, to: Path, change: Callable[[list[Any]], Any]) -> Path:
    """Return a copy of the annotations with changed references."""
    (to / "refcoco").mkdir()
    refs = pickle.loads((folder / "refcoco" / "refs(unc).p").read_bytes())
    change(refs)
    (to / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(refs, 2))
    (to / "refcoco" / "instances.json").write_bytes((folder / "refcoco" / "instances.json").read_bytes())
    return to


BROKEN: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "an object that is not there": (lambda refs: refs[0].update(ann_id=10**6), r"\[0\].*instances.json; it is not"),
    "another image": (lambda refs: refs[0].update(image_id=2), r"\[0\]: expected the object 1 to be in image 2"),
    "no number": (lambda refs: refs[0].update(ref_id="x"), r"\[0\].*'ref_id' to be int"),
    "no sentences": (lambda refs: refs[0].pop("sentences"), r"\[0\]: expected 'sentences'"),
    "a text in place of a sentence": (lambda refs: refs[0].update(sentences=["x"]), r"\[0\], sentences\[0\]"),
    "no text": (lambda refs: refs[0]["sentences"][0].update(sent=None), r"sentences\[0\].*'sent' to be str"),
    "no object": (lambda refs: refs.insert(1, 5), r"\[1\]: expected an object with 'split'"),
    "no phrases": (lambda refs: refs.clear(), r"phrases of the split val; it has none"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_references_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[list[Any]], Any], message: str
) -> None:
    with pytest.raises(yg.InputError, match=rf"refs\(unc\)\.p.*{message}"):
        BOXES.read(with_refs(folder, tmp_path, change), "val")


def test_a_hostile_pickle_is_refused(folder: Path, tmp_path: Path) -> None:
    with_refs(folder, tmp_path, lambda refs: None)
    (tmp_path / "refcoco" / "refs(unc).p").write_bytes(b"cos\nsystem\n(S'touch harmed'\ntR.")
    with pytest.raises(yg.InputError, match=r"os\.system, which is not loaded"):
        BOXES.read(tmp_path, "val")


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "a/../../x.jpg", "..\\x.jpg"])
def test_images_outside_the_folder_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    with_refs(folder, tmp_path, lambda refs: None)
    path = tmp_path / "refcoco" / "instances.json"
    form = json.loads(path.read_text())
    form["images"][0]["file_name"] = name
    path.write_text(json.dumps(form))
    with pytest.raises(yg.InputError, match=r"instances.json, image 1: .*leads out"):
        BOXES.read(tmp_path, "val")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "refcoco").mkdir()
    with pytest.raises(yg.InputError, match=r"refs\(unc\)\.p, or the same as JSON in refs\(unc\)\.json; neither"):
        BOXES.read(tmp_path, "val")
    (tmp_path / "refcoco" / "refs(unc).json").write_text("[]")
    with pytest.raises(yg.InputError, match=r"instances\.json"):
        BOXES.read(tmp_path, "val")
    with pytest.raises(yg.InputError, match="expected the folder of a data set"):
        BOXES.read(tmp_path / "nothing", "val")
