"""Objects in COCO's layout: drawn scenes as a data set, the truth as an answer, known shifts, and files of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import youtu_gguf as yg
from scripts.layouts.coco import export
from scripts.nano.scenes import TEST_SEEDS, THINGS, draw
from youtu_gguf.evaluate import BENCHMARKS, Benchmark, Data, Prediction, Sample
from youtu_gguf.evaluate.data.coco import CocoAnnotation
from youtu_gguf.evaluate.data.objects import TrueObjects
from youtu_gguf.evaluate.data.segmentation import mask_of
from youtu_gguf.output.coco_results import CocoResults
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Size

BOXES, MASKS = BENCHMARKS["coco"], BENCHMARKS["coco-instances"]
BOTH = pytest.mark.parametrize("benchmark", [BOXES, MASKS], ids=["boxes", "masks"])
SIZE = Size(128, 32)
NAMES = {1: "dining table", 2: "cup"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six drawn scenes; the first thing of each is marked as a crowd, as long as another one is left of its kind."""
    folder = tmp_path_factory.mktemp("coco")
    export(folder, 6)
    path = folder / "annotations" / "instances_val2017.json"
    form = json.loads(path.read_text(encoding="utf-8"))
    kinds = [annotation["category_id"] for annotation in form["annotations"]]
    for i, kind in enumerate(kinds):
        form["annotations"][i]["iscrowd"] = int(kind not in kinds[:i] and kind in kinds[i + 1 :])
    assert any(annotation["iscrowd"] for annotation in form["annotations"])
    path.write_text(json.dumps(form), encoding="utf-8")
    return folder


def figures(benchmark: Benchmark, data: Data, answers: dict[str, Prediction], **changed: Any) -> dict[str, float]:
    measure = benchmark.kind.measure(data, benchmark.options(changed=changed))
    for sample in data.samples:
        measure.add(sample, answers.get(sample.id))
    return measure.figures()


def one_sample(*objects: tuple[int, list[float]]) -> Data:
    """A data set of one image with objects: their category, and left, top, right, bottom."""
    annotations = tuple(
        CocoAnnotation(i, 1, category, np.array(box, float), 1.0, False, outline(box), None, f"annotations[{i}]")
        for i, (category, box) in enumerate(objects)
    )
    truth = TrueObjects(annotations, SIZE, NAMES)
    asked = {"classes": tuple(NAMES.values())}
    return Data([Sample("1", Path("1.png"), asked, truth)], Path(), tuple(NAMES.values()))


def outline(box: list[float]) -> list[list[float]]:
    left, top, right, bottom = box
    return [[left, top, right, top, right, bottom, left, bottom]]


def answer(*objects: tuple[str, list[float], float | None], **more: Any) -> dict[str, Prediction]:
    form: dict[str, Any] = {
        "boxes": [box for _, box, _ in objects],
        "labels": [label for label, _, _ in objects],
        "scores": [score for _, _, score in objects],
        "masks": [outline(box) for _, box, _ in objects],
    }
    return {"1": Prediction({**form, **more})}


def test_the_reader_gives_the_things_that_were_drawn(drawn: Path) -> None:
    data = MASKS.read(drawn, "val2017")
    assert data.classes == THINGS
    for i, sample in enumerate(data.samples):
        scene = draw(TEST_SEEDS + i)
        assert sample.id == str(i + 1)
        assert np.array_equal(np.asarray(Image.open(sample.image)), scene.rgb)
        assert sample.truth.names == tuple(thing.kind for thing in scene.things)
        for annotation, thing in zip(sample.truth.annotations, scene.things, strict=True):
            assert annotation.xyxy.tolist() == [*thing.box]
            assert np.array_equal(mask_of(annotation.segmentation, sample.truth.size), thing.mask)


@BOTH
def test_the_truth_is_exactly_right_whatever_it_is_ranked_by(benchmark: Benchmark, drawn: Path) -> None:
    data = benchmark.read(drawn, "val2017")
    perfect = {sample.id: benchmark.kind.perfect(sample) for sample in data.samples}
    json.dumps([said.form for said in perfect.values()])
    for rank in ("area", "scores"):
        found = figures(benchmark, data, perfect, rank=rank)
        assert found == dict.fromkeys(["ap", "ap50", "ap75", "ap_area", "ap_scores"], 1.0)
    assert set(found) == {figure.name for figure in benchmark.kind.figures}


@BOTH
def test_a_shift_by_a_fifth_of_the_width_leaves_an_overlap_of_two_thirds(benchmark: Benchmark) -> None:
    data = one_sample((1, [0, 0, 100, 20]))
    shifted = answer(("dining table", [20, 0, 120, 20], 0.5))  # 80 of 120 columns: 0.5, 0.55, 0.6, 0.65 are passed
    found = figures(benchmark, data, shifted)
    assert found == {"ap": 0.4, "ap50": 1.0, "ap75": 0.0, "ap_area": 0.4, "ap_scores": 0.4}


@BOTH
def test_the_order_is_that_of_areas_unless_scores_are_set_or_come_with_the_answer(benchmark: Benchmark) -> None:
    data = one_sample((2, [0, 0, 10, 10]))
    right, wrong = ("cup", [0, 0, 10, 10], 0.9), ("cup", [20, 0, 60, 20], 0.1)
    found = figures(benchmark, data, answer(wrong, right))
    assert (found["ap"], found["ap_area"], found["ap_scores"]) == (0.5, 0.5, 1.0)
    assert figures(benchmark, data, answer(wrong, right), rank="scores")["ap"] == 1.0
    assert figures(benchmark, data, answer(wrong, right, ranked_by="scores"))["ap"] == 1.0


def test_an_object_without_a_score_comes_last_and_without_any_there_is_no_figure() -> None:
    data = one_sample((2, [0, 0, 10, 10]))
    right, wrong = ("cup", [0, 0, 10, 10], 0.1), ("cup", [20, 0, 60, 20], None)
    assert figures(BOXES, data, answer(wrong, right))["ap_scores"] == 1.0
    assert np.isnan(figures(BOXES, data, answer(wrong))["ap_scores"])


def test_labels_are_compared_without_case_and_those_of_no_class_do_not_count() -> None:
    data = one_sample((1, [0, 0, 10, 10]))
    table, chair = ("Dining  Table", [0, 0, 10, 10], 0.1), ("chair", [0, 0, 90, 10], 0.9)
    assert figures(BOXES, data, answer(chair, table))["ap"] == 1.0


def test_an_object_without_area_counts_though_it_cannot_be_found() -> None:
    data = one_sample((1, [5, 5, 5, 9]), (2, [20, 0, 30, 10]))
    assert figures(BOXES, data, {"1": BOXES.kind.perfect(data.samples[0])})["ap"] == 0.5


@BOTH
def test_a_question_that_failed_found_nothing(benchmark: Benchmark) -> None:
    data = one_sample((1, [0, 0, 10, 10]), (2, [20, 0, 30, 10]))
    assert figures(benchmark, data, {})["ap"] == 0
    assert figures(benchmark, data, answer(("cup", [20, 0, 30, 10], 1)))["ap"] == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": None}, "expected 'labels' to be list; got None"),
        ({"labels": [3]}, "expected 'labels' to be names"),
        ({"boxes": []}, "expected 'boxes' for each of 1 labels; got 0"),
        ({"boxes": [[3, 0, 1, 1]]}, r"boxes\[0\]: expected left, top, right, bottom; got \[3, 0, 1, 1\]"),
        ({"boxes": [[0, 0, 1, float("nan")]]}, r"boxes\[0\]: expected 'xyxy' to be a list of finite numbers"),
        ({"scores": ["1"]}, "expected 'scores' to be finite numbers or null"),
        (
            {"masks": [{"size": [9, 9], "counts": "0"}]},
            r"masks\[0\] of the answer: expected a mask of height and width",
        ),
    ],
)
def test_an_answer_of_another_form_is_refused(change: dict[str, Any], message: str) -> None:
    data = one_sample((2, [0, 0, 10, 10]))
    with pytest.raises(yg.InputError, match=message):
        figures(MASKS, data, answer(("cup", [0, 0, 10, 10], 0.5), **change))


@BOTH
def test_a_file_of_results_is_ranked_by_its_scores(benchmark: Benchmark, drawn: Path, tmp_path: Path) -> None:
    data = benchmark.read(drawn, "val2017")
    numbers = {name: number for number, name in data.samples[0].truth.categories.items()}
    results = []
    for sample in data.samples:
        said = MASKS.kind.perfect(sample).form
        for box, label, mask in zip(said["boxes"], said["labels"], said["masks"], strict=True):
            result = {"image_id": int(sample.id), "category_id": numbers[label], "score": 0.5}
            whole = coco_rle(np.ones(mask["size"], np.bool_))
            results += [{**result, "segmentation": mask}, {**result, "score": 0.1, "segmentation": whole}]
            results[-2]["bbox"] = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    found = figures(benchmark, data, dict(benchmark.kind.read_predictions(path, data)))
    assert (found["ap"], found["ap_scores"]) == (1.0, 1.0)
    assert found["ap_area"] < 0.6  # the boxes of the whole image come from their masks
    path.write_text("[]", encoding="utf-8")
    assert figures(benchmark, data, dict(benchmark.kind.read_predictions(path, data)))["ap"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, r"results.json, \[0\]: expected 'image_id' of the data; got 99. Is it another split\?"),
        ({"category_id": 99}, r"results.json, \[0\]: expected 'category_id' of the data; got 99"),
        ({}, r"results.json, \[0\]: expected outlines, or 'size' and 'counts'; got None"),
    ],
)
def test_results_about_something_else_are_refused(
    change: dict[str, Any], message: str, drawn: Path, tmp_path: Path
) -> None:
    result = {"image_id": 1, "category_id": 1, "score": 1, "bbox": [0, 0, 1, 1], **change}
    path = tmp_path / "results.json"
    path.write_text(json.dumps([result]), encoding="utf-8")
    with pytest.raises(yg.InputError, match=message):
        MASKS.kind.read_predictions(path, MASKS.read(drawn, "val2017"))


@BOTH
def test_the_baseline_is_the_most_frequent_class_as_large_as_the_image(benchmark: Benchmark) -> None:
    data = one_sample((1, [0, 0, 128, 32]), (1, [0, 0, 9, 9]), (2, [0, 0, 5, 5]))
    ((name, baseline),) = benchmark.kind.baselines(data, benchmark.options()).items()
    assert name == "dining table, as large as the image"
    # Of two tables one is found: 51 of 101 recalls. No cup is.
    assert figures(benchmark, data, {"1": baseline(data.samples[0])})["ap"] == pytest.approx(51 / 101 / 2)
    assert benchmark.kind.baselines(one_sample(), benchmark.options()) == {}


def test_an_image_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    form = {
        "images": [{"id": 1, "file_name": "../a.jpg", "width": 1, "height": 1}],
        "categories": [],
        "annotations": [],
    }
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(form), encoding="utf-8")
    with pytest.raises(yg.InputError, match=r"image 1: expected the name of a file below .*which leads out of it"):
        BOXES.read(tmp_path, "val2017")


ANSWER = "<ref>cup</ref><box><x_0><y_0><x_64><y_64></box><box><x_2><y_0><x_64><y_64></box>"


@pytest.mark.parametrize(
    ("prompt", "n_questions", "names"),
    [("all", 1, [["dining table", "cup"]]), ("everything", 1, [None]), (1, 2, [["dining table"], ["cup"]])],
)
def test_boxes_are_asked_as_the_prompt_says_and_found_once(
    prompt: str | int, n_questions: int, names: list[list[str] | None]
) -> None:
    engine = FakeEngine({"etect all": ANSWER})
    scene = yg.load(engine=engine).open(np.zeros((128, 128, 3), np.uint8))
    sample = one_sample().samples[0]
    said = BOXES.kind.ask(scene, sample, BOXES.options("fast", {"prompt": prompt}))
    assert engine.questions == [yg.prompts.ENGLISH.detect(each) for each in names]
    assert len(engine.questions) == n_questions
    assert said.form == {"boxes": [[0, 0, 64, 64]], "labels": ["cup"], "scores": [0.5]}


@pytest.mark.parametrize("text", ["", "none", "0", "-1", "1001", "²"])
def test_a_prompt_is_one_of_its_words_or_a_number_of_classes(text: str) -> None:
    read = {setting.name: setting.read for setting in BOXES.settings}
    assert read["prompt"] is not None
    assert (read["prompt"]("20"), read["prompt"]("all")) == (20, "all")
    with pytest.raises(yg.InputError, match="prompt must be all, everything or a number of classes"):
        read["prompt"](text)


def test_zooms_are_several_also_where_one_is_named() -> None:
    read = {setting.name: setting.read for setting in BOXES.settings}
    assert read["zoom"] is not None
    assert (read["zoom"]("2"), read["zoom"]("1,2")) == ((2,), (1, 2))


@BOTH
def test_files_give_the_figures_that_pycocotools_gives_for_them(
    benchmark: Benchmark, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(8)
    data = benchmark.read(drawn, "val2017")
    truth = drawn / "annotations" / "instances_val2017.json"
    results = CocoResults({name: number for number, name in data.samples[0].truth.categories.items()})
    for i, sample in enumerate(data.samples):
        things = draw(TEST_SEEDS + i).things
        masks = np.stack([np.roll(thing.mask, rng.integers(-6, 7, 2), axis=(0, 1)) for thing in things])
        boxes = np.array([thing.box for thing in things]) + rng.uniform(-6, 6, (len(things), 4))
        labels = tuple(thing.kind if rng.random() < 0.8 else "sign" for thing in things)
        found = yg.Instances(masks, boxes, labels, rng.random(len(things)).astype(np.float32))
        results.add(int(sample.id), found)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results.to_list()), encoding="utf-8")
    ours = figures(benchmark, data, dict(benchmark.kind.read_predictions(path, data)))
    reader = COCO(str(truth))
    judged = COCOeval(reader, reader.loadRes(str(path)), "segm" if benchmark is MASKS else "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    capsys.readouterr()
    assert 0.2 < ours["ap"] < 0.9
    assert [ours["ap"], ours["ap50"], ours["ap75"]] == pytest.approx(judged.stats[:3].tolist(), abs=1e-12)
