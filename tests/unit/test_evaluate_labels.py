"""How good label maps are: worked figures, scikit-learn's confusion matrix, what is refused, and how is asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.evaluate import Data, Prediction, Sample
from youtu_gguf.evaluate.data.numbering import NONE, Numbering, TrueLabels
from youtu_gguf.evaluate.data.pixels import read_levels
from youtu_gguf.evaluate.kinds.labels import LabelMeasure, Labels, count_pairs
from youtu_gguf.output.png import grey_png
from youtu_gguf.testing import FakeEngine

KIND = Labels()
NUMBERS = Numbering((0, 1, 2), frozenset({NONE}))
CLASSES = ("red", "green", "blue")

Map = npt.NDArray[np.uint8]


def sample_of(folder: Path, name: str, true: object, numbers: Numbering = NUMBERS) -> Sample:
    file = folder / f"{name}.png"
    Image.fromarray(np.array(true, np.uint8)).save(file)
    return Sample(name, folder / f"{name}.jpg", {"classes": CLASSES}, TrueLabels(file, numbers))


def answer(levels: object) -> Prediction:
    return Prediction({}, grey_png(np.array(levels, np.uint8)))


def measured(pairs: Iterable[tuple[Sample, Prediction | None]], classes: tuple[str, ...] = CLASSES) -> LabelMeasure:
    measure = LabelMeasure(classes)
    for sample, said in pairs:
        measure.add(sample, said)
    return measure


def test_worked_figures_of_nine_pixels(tmp_path: Path) -> None:
    """Red: 3 true, 4 answered, 2 both. Green: 4, 3, 2. Blue: 1, 1, 1. One pixel does not count; it was called blue."""
    sample = sample_of(tmp_path, "a", [[0, 0, 0], [1, 1, 1], [1, 2, NONE]])
    measure = measured([(sample, answer([[0, 0, 1], [0, 0, 1], [1, 2, 2]]))])
    assert measure.totals().tolist() == [[2, 2, 1], [3, 4, 1], [4, 3, 1]]
    assert measure.class_ious().tolist() == [2 / 5, 2 / 5, 1]
    assert measure.figures() == {
        "miou": pytest.approx((2 / 5 + 2 / 5 + 1) / 3),
        "pixel_accuracy": 5 / 8,
        "class_accuracy": pytest.approx((2 / 3 + 2 / 4 + 1) / 3),
    }


def test_square_that_has_moved_by_two_pixels(tmp_path: Path) -> None:
    """Of 10x10 pixels 8x10 are in both and 12x10 in either; of the 1,500 around them, 1,480 and 1,520."""
    true, moved = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    true[10:20, 10:20] = moved[10:20, 12:22] = 1
    ious = measured([(sample_of(tmp_path, "a", true), answer(moved))]).class_ious()
    assert ious[:2].tolist() == [1480 / 1520, 80 / 120]


def test_class_that_nobody_has_is_left_out_and_one_that_is_only_answered_is_wrong(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "a", [[0, 0]])
    right, wrong = measured([(sample, answer([[0, 0]]))]), measured([(sample, answer([[0, 1]]))])
    assert right.figures() == {"miou": 1.0, "pixel_accuracy": 1.0, "class_accuracy": 1.0}
    assert wrong.figures() == {"miou": 0.25, "pixel_accuracy": 0.5, "class_accuracy": 0.5}
    assert np.isnan(wrong.class_ious()[2])


def test_pixels_without_a_class_are_wrong_and_take_from_no_other_class(tmp_path: Path) -> None:
    measure = measured([(sample_of(tmp_path, "a", [[0, 0, 1, 1]]), answer([[0, NONE, 1, 1]]))])
    assert measure.figures() == {"miou": 0.75, "pixel_accuracy": 0.75, "class_accuracy": 0.75}


def test_question_that_failed_is_all_wrong(tmp_path: Path) -> None:
    pairs = [(sample_of(tmp_path, "a", [[0, 0]]), answer([[0, 0]])), (sample_of(tmp_path, "b", [[0, 1]]), None)]
    assert measured(pairs).figures() == {
        "miou": pytest.approx((2 / 3 + 0) / 2), "pixel_accuracy": 0.5, "class_accuracy": pytest.approx(1 / 3),
    }  # fmt: skip


def test_nothing_that_counts_gives_no_figures(tmp_path: Path) -> None:
    figures = measured([(sample_of(tmp_path, "a", [[NONE]]), answer([[1]]))]).figures()
    assert all(np.isnan(value) for value in figures.values())


def test_figures_equal_those_of_a_confusion_matrix(tmp_path: Path) -> None:
    """100 data sets of one to four small maps, levels permuted; scikit-learn counts the pairs."""
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(2, 7))
        levels = rng.permutation(200)[: n + 2]
        numbers = Numbering(tuple(int(level) for level in levels[:n]), frozenset({int(levels[n]), int(levels[n + 1])}))
        to_level = np.append(levels, levels[n + 1]).astype(np.uint8)
        names = tuple(f"class {index}" for index in range(n))
        measure, maps = LabelMeasure(names), []
        likely = rng.dirichlet(np.full(n, 0.5))
        for number in range(int(rng.integers(1, 5))):
            true = np.where(rng.random((5, 7)) < 0.2, n, rng.choice(n, (5, 7), p=likely))
            said = np.where(rng.random((5, 7)) < 0.6, true, rng.integers(0, n + 1, (5, 7)))
            sample = sample_of(tmp_path, str(number), to_level[true], numbers)
            measure.add(sample, answer(np.where(said == n, NONE, said)))
            maps.append((true, said))
        all_true, all_said = (np.concatenate([pair[side].ravel() for pair in maps]) for side in (0, 1))
        counts = all_true < n
        matrix = confusion_matrix(all_true[counts], all_said[counts], labels=range(n + 1))[:n]
        true_px, said_px, both = matrix.sum(1), matrix.sum(0)[:n], np.diagonal(matrix)
        there = true_px + said_px > 0
        expected = {
            "miou": np.mean(both[there] / (true_px + said_px - both)[there]) if there.any() else np.nan,
            "pixel_accuracy": both.sum() / true_px.sum() if there.any() else np.nan,
            "class_accuracy": np.mean(both[true_px > 0] / true_px[true_px > 0]) if there.any() else np.nan,
        }
        assert measure.figures() == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_image_that_counts_twice_is_that_image_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pairs = [
        (sample_of(tmp_path, name, rng.integers(0, 3, (4, 4))), answer(rng.integers(0, 3, (4, 4)))) for name in "abc"
    ]
    weighted = measured(pairs).figures(np.array([2.0, 0.0, 1.0]))
    renamed = Sample("a2", tmp_path / "a2.jpg", truth=pairs[0][0].truth)
    assert weighted == pytest.approx(measured([pairs[0], (renamed, pairs[0][1]), pairs[2]]).figures(), abs=1e-12)


def test_counts_are_exact_beyond_what_float32_holds() -> None:
    pairs = count_pairs(np.zeros((4101, 4099), np.uint8), np.full((4101, 4099), 7, np.uint8))
    assert pairs[0, 7] == pairs.sum() == 4101 * 4099


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (answer([[0, 1, 2]]), r"the answer: expected 2x1 pixels, as in the image; got 3x1"),
        (answer([[0, 3]]), r"the answer: expected 0 to 2, or 255 for none; got 3 in 1 pixels"),
        (
            Prediction({}, grey_png(np.array([[0, 1]], np.uint16))),
            "the answer: expected a label map of 8 bits; got one of 16",
        ),
        (Prediction({}, b"GIF89a"), "the answer: expected a PNG file"),
        (Prediction({}), "expected a prediction with pixels"),
        (Prediction({"everywhere": 3}), "the answer: expected 'everywhere' to be 0 to 2; got 3"),
        (Prediction({"everywhere": True}), "the answer: expected 'everywhere' to be 0 to 2; got True"),
    ],
)
def test_answer_of_another_form_is_refused(tmp_path: Path, said: Prediction, message: str) -> None:
    measure = LabelMeasure(CLASSES)
    with pytest.raises(yg.InputError, match=message):
        measure.add(sample_of(tmp_path, "a", [[0, 1]]), said)
    assert measure.n_images == 0


def test_broken_file_of_an_answer_is_named(tmp_path: Path) -> None:
    file = tmp_path / "said.png"
    file.write_bytes(answer([[0, 1]]).read_png()[:-20])
    with pytest.raises(yg.InputError, match=r"said\.png: .*ends at byte"):
        measured([(sample_of(tmp_path, "a", [[0, 1]]), Prediction({}, file))])


def test_level_without_a_meaning_in_the_truth_is_refused(tmp_path: Path) -> None:
    sample = sample_of(tmp_path, "a", [[0, 7], [7, 0]])
    for said in (None, answer([[0, 1], [1, 0]])):
        with pytest.raises(yg.InputError, match=r"a\.png: expected a level that stands for a class; got 7 in 2 pixels"):
            measured([(sample, said)])
    with pytest.raises(yg.InputError, match="got 7 in 2 pixels"):
        KIND.perfect(sample)


def test_most_common_class_is_the_baseline(tmp_path: Path) -> None:
    samples = [sample_of(tmp_path, "a", [[0, 1, 1, NONE]]), sample_of(tmp_path, "b", [[1], [2]])]
    ((name, said),) = KIND.baselines(Data(samples, tmp_path, CLASSES), {}).items()
    assert name == "green everywhere"
    answers = [np.full((1, 4), 1), np.full((2, 1), 1)]
    drawn = measured((sample, answer(levels)) for sample, levels in zip(samples, answers, strict=True))
    assert measured((sample, said(sample)) for sample in samples).figures() == drawn.figures()
    assert drawn.figures()["pixel_accuracy"] == 3 / 5


def test_answers_are_files_named_as_samples_or_images(tmp_path: Path) -> None:
    images = {"city/a": "a_left.png", "b": "b_left.png", "c": "c.jpg"}
    samples = [Sample(name, tmp_path / image) for name, image in images.items()]
    folder = tmp_path / "answers"
    for name in ("city/a.png", "a_left.png", "b_left.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = KIND.read_predictions(folder, Data(samples, tmp_path))
    assert {name: said.png for name, said in found.items()} == {
        "city/a": folder / "city/a.png", "b": folder / "b_left.png",
    }  # fmt: skip


def test_folder_without_answers_is_refused(tmp_path: Path) -> None:
    data = Data([Sample("a", tmp_path / "a.jpg")], tmp_path)
    with pytest.raises(yg.InputError, match=r"named as the images, as a\.png; .* has none"):
        KIND.read_predictions(tmp_path, data)
    with pytest.raises(yg.InputError, match="expected a folder of index PNG files"):
        KIND.read_predictions(tmp_path / "none", data)


HEAD = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [0, 0, 4]], np.float32)
OPTIONS = {"present": "model", "refine": "none", "zoom": "auto:3", "tiles": "1x1"}


def asked(tmp_path: Path, reply: str, options: dict[str, object]) -> tuple[Prediction, Map, str]:
    """The answer about an image that is red on the left and blue on the right, its pixels, and the question."""
    vocabulary = {"red": 1, "green": 2, "blue": 3, "Blue": 3, "pink": 3}
    engine = FakeEngine({"": reply}, head=HEAD, vocabulary=vocabulary)
    rgb = np.zeros((64, 128, 3), np.uint8)
    rgb[:, :64, 0] = rgb[:, 64:, 2] = 255
    with yg.load(engine=engine) as model:
        said = KIND.ask(model.open(rgb), Sample("a", tmp_path / "a.jpg", {"classes": CLASSES}), options)
    return said, read_levels(said.read_png()).astype(np.uint8), "".join(engine.questions)


def test_answer_is_in_the_order_of_the_classes_whatever_the_model_names_first(tmp_path: Path) -> None:
    said, levels, question = asked(tmp_path, "<ref>Blue</ref><ref>red</ref>", OPTIONS)
    assert "Segment: red, green, blue, without the background class" in question
    assert said.form == {"classes": ["Blue", "red"], "refined_by": "none"}
    assert (levels[:, :64] == 0).all() and (levels[:, 64:] == 2).all()


def test_answer_of_every_class_names_none(tmp_path: Path) -> None:
    assert asked(tmp_path, "", {**OPTIONS, "present": "all"})[0].form == {"refined_by": "none"}


def test_class_that_was_not_asked_for_becomes_none(tmp_path: Path) -> None:
    said, levels, _ = asked(tmp_path, "<ref>red</ref><ref>pink</ref>", OPTIONS)
    assert said.form["classes"] == ["red", "pink"]
    assert (levels[:, :64] == 0).all() and (levels[:, 64:] == NONE).all()


def test_answer_without_classes_has_none_anywhere(tmp_path: Path) -> None:
    assert (asked(tmp_path, "nothing", OPTIONS)[1] == NONE).all()


def test_all_classes_are_told_apart_without_a_question(tmp_path: Path) -> None:
    _, levels, question = asked(tmp_path, "", {**OPTIONS, "present": "all", "tiles": "2x1"})
    assert question == ""
    assert (levels[:, :64] == 0).all() and (levels[:, 64:] == 2).all()
