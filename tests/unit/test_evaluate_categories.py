"""ImageNet-ReaL: which class an answer means, and the files of the data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.layouts import imagenet_real
from scripts.nano.scenes import THINGS
from youtu_gguf.evaluate import BENCHMARKS
from youtu_gguf.evaluate.base import Data, Prediction, Sample
from youtu_gguf.evaluate.data.imagenet_real import read_imagenet_real
from youtu_gguf.evaluate.kinds.categories import Categories, Names, TrueClasses
from youtu_gguf.testing import FakeEngine

CLASSES = (
    "great white shark, white shark, man-eater",
    "crane",
    "golden retriever",
    "mushroom",
    "crane",
    "bird's nest fungus",
    "Shih-Tzu",
    "cherry",
    "spider monkey, Ateles geoffroyi",
    "spider",
    "crêpe",
    "glass",
)
BENCHMARK = BENCHMARKS["imagenet-real"]
KIND = Categories()
OPTIONS = BENCHMARK.options()


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("golden retriever", {2}),
        ("A Golden Retriever.", {2}),
        ("golden_retrievers", {2}),
        ("white sharks", {0}),
        ("man eater", {0}),
        ("crane", {1, 4}),
        ("the cranes", {1, 4}),
        ("shih tzu", {6}),
        ("cherries", {7}),
        ("crepe", {10}),
        ("Glass", {11}),
        ("glasses", {11}),
        ("birds nest fungus", {5}),
        ("bird\u2019s nest fungus", {5}),
        ("It is a golden retriever on grass.", {2}),
        ("a spider monkey", {8}),
        ("a photo of a spider monkey, not a spider", {8}),
        ("a mushroom beside a cherry", {3}),
        ("retriever", set()),
        ("glassware", set()),
        ("", set()),
        ("...", set()),
    ],
)
def test_an_answer_means_the_longest_name_in_it(answer: str, numbers: set[int]) -> None:
    assert Names(CLASSES).find(answer) == numbers


def test_exact_matches_take_names_alone() -> None:
    names = Names(CLASSES, contained=False)
    assert names.find("A golden retriever") == {2}
    assert names.find("It is a golden retriever") == frozenset()


def test_of_two_names_of_one_length_the_first_counts() -> None:
    assert Names(("abcd", "wxyz")).find("either wxyz or abcd") == {1}


def sample(*numbers: int) -> Sample:
    return Sample(str(numbers), Path("a.jpg"), truth=TrueClasses(numbers, CLASSES[numbers[0]].split(", ")[0]))


def test_figures_have_the_worked_values() -> None:
    """Right by the second label, right by number, wrong, no class, and a question that failed."""
    measure = KIND.measure(Data([], Path(), CLASSES), OPTIONS)
    measure.add(sample(2, 3), Prediction({"answer": "mushroom"}))
    measure.add(sample(9), Prediction({"class": 9}))
    measure.add(sample(9), Prediction({"answer": "spider monkey"}))
    measure.add(sample(9), Prediction({"answer": "tarantula"}))
    measure.add(sample(9), None)
    assert measure.figures() == {"accuracy": 2 / 5, "no_class": 2 / 5}


def test_every_class_is_found_by_its_first_name() -> None:
    measure = KIND.measure(Data([], Path(), CLASSES), OPTIONS)
    for number in range(len(CLASSES)):
        measure.add(sample(number), KIND.perfect(sample(number)))
    assert measure.figures() == {"accuracy": 1.0, "no_class": 0.0}


def test_always_the_most_common_class_is_the_baseline() -> None:
    data = Data([sample(1), sample(3, 2), sample(2)], Path(), CLASSES)
    ((name, answer),) = KIND.baselines(data, OPTIONS).items()
    measure = KIND.measure(data, OPTIONS)
    for each in data.samples:
        measure.add(each, answer(each))
    assert name == "always golden retriever"
    assert measure.figures()["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("form", [{"class": 12}, {"class": -1}, {"class": True}, {"class": "3"}, {"answer": 3}, {}])
def test_other_forms_of_an_answer_are_refused(form: dict[str, Any]) -> None:
    with pytest.raises(yg.InputError, match="the prediction of"):
        KIND.measure(Data([], Path(), CLASSES), OPTIONS).add(sample(1), Prediction(form))


def test_the_category_is_asked_for_with_the_reports_prompt(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    engine = FakeEngine(answers={"category": "spider"})
    with yg.load(engine=engine) as model, model.open(tmp_path / "a.png") as scene:
        assert KIND.ask(scene, sample(9), OPTIONS).form == {"answer": "spider"}


def test_answers_of_others_are_read_by_the_names_of_images(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text('{"val/ILSVRC2012_val_00000001.JPEG": "spider", "b": 3}')
    found = KIND.read_predictions(path, Data([], tmp_path, CLASSES))
    assert {name: said.form for name, said in found.items()} == {
        "ILSVRC2012_val_00000001": {"answer": "spider"},
        "b": {"class": 3},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "got list"),
        ('{"b": 3, "c/b.png": 4}', "'b' has two"),
        ('{"b": NaN}', "expected 'b' to be str or int"),
        ('{"b": true}', "expected 'b' to be str or int"),
        ('{"b": ', "line 1"),
    ],
)
def test_broken_answers_of_others_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(yg.InputError, match=message):
        KIND.read_predictions(tmp_path / "answers.json", Data([], tmp_path, CLASSES))


def test_the_truth_as_the_answer_is_right_every_time(tmp_path: Path) -> None:
    imagenet_real.export(tmp_path, 6)
    data = BENCHMARK.read(tmp_path, "val")
    assert 0 < len(data.samples) < 6  # images without a label do not count
    assert [names.split(", ")[0] for names in data.classes] == list(THINGS)
    measure = KIND.measure(data, OPTIONS)
    for each in data.samples:
        assert each.image.is_file()
        measure.add(each, KIND.perfect(each))
    assert measure.figures() == {"accuracy": 1.0, "no_class": 0.0}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "val" / "n2").mkdir(parents=True)
    (tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG").touch()
    (tmp_path / "val" / "n2" / "ILSVRC2012_val_00000003.JPEG").touch()
    (tmp_path / "real.json").write_text("[[1], [], [0, 1]]")
    (tmp_path / "LOC_synset_mapping.txt").write_text("n1 tench, Tinca tinca\nn2 goldfish\n")
    return tmp_path


def test_images_lie_in_the_folder_or_in_folders_of_classes(small: Path) -> None:
    data = read_imagenet_real(small)
    assert data.classes == ("tench, Tinca tinca", "goldfish")
    assert [(each.id[-1], each.truth) for each in data.samples] == [
        ("1", TrueClasses((1,), "goldfish")),
        ("3", TrueClasses((0, 1), "tench")),
    ]
    assert data.samples[1].image.parent.name == "n2"


def test_images_lie_where_kaggle_puts_them(small: Path) -> None:
    (small / "ILSVRC" / "Data" / "CLS-LOC").mkdir(parents=True)
    (small / "val").rename(small / "ILSVRC" / "Data" / "CLS-LOC" / "val")
    assert len(read_imagenet_real(small).samples) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("synset_words.txt", "n1 tench\nn2 gold fish\n"),
        ("imagenet_class_index.json", '{"0": ["n1", "tench"], "1": ["n2", "gold_fish"]}'),
        ("classes.txt", "tench\ngold fish\n"),
    ],
)
def test_classes_are_read_from_each_of_the_usual_files(small: Path, name: str, text: str) -> None:
    (small / "LOC_synset_mapping.txt").unlink()
    (small / name).write_text(text)
    assert read_imagenet_real(small).classes == ("tench", "gold fish")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("real.json", "{}", "expected a list with the labels"),
        ("real.json", "[[1], 5]", r"real.json, \[1\]: expected a list of classes from 0 to 1; got 5"),
        ("real.json", "[[2]]", r"real.json, \[0\]: expected a list of classes from 0 to 1; got \[2\]"),
        ("real.json", "[[true]]", r"\[0\]"),
        ("real.json", "[[NaN]]", r"\[0\]"),
        ("real.json", "[[], []]", "all lists are empty"),
        ("real.json", "[[1], [1]]", "expected ILSVRC2012_val_00000002.JPEG"),
        ("LOC_synset_mapping.txt", "n2 goldfish\nn1 tench\n", "ascending order"),
        ("LOC_synset_mapping.txt", "n1 tench\nn2\n", "class 1 has none"),
        ("LOC_synset_mapping.txt", "", "a name for every class"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(small: Path, name: str, text: str, message: str) -> None:
    (small / name).write_text(text)
    with pytest.raises(yg.InputError, match=message):
        read_imagenet_real(small)


@pytest.mark.parametrize("text", ["[]", '{"0": ["n1"]}', '{"0": ["n1", 2]}', '{"1": ["n1", "tench"]}'])
def test_a_broken_index_of_classes_is_refused(small: Path, text: str) -> None:
    (small / "LOC_synset_mapping.txt").unlink()
    (small / "imagenet_class_index.json").write_text(text)
    with pytest.raises(yg.InputError, match=r"imagenet_class_index\.json"):
        read_imagenet_real(small)


def test_what_is_missing_is_named(small: Path) -> None:
    (small / "LOC_synset_mapping.txt").unlink()
    with pytest.raises(yg.InputError, match=r"names of the classes.*LOC_synset_mapping\.txt"):
        read_imagenet_real(small)
    (small / "LOC_synset_mapping.txt").write_text("n1 tench\nn2 goldfish\n")
    (small / "val").rename(small / "other")
    with pytest.raises(yg.InputError, match="expected images in"):
        read_imagenet_real(small)


def test_fifty_thousand_images_have_their_labels(tmp_path: Path) -> None:
    """The size of the real file; names of files are all that is looked at."""
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "ILSVRC2012_val_00050000.JPEG").touch()
    (tmp_path / "real.json").write_text(json.dumps([[]] * 49_999 + [[999, 1]]))
    (tmp_path / "classes.txt").write_text("".join(f"class {i}\n" for i in range(1000)))
    (only,) = read_imagenet_real(tmp_path).samples
    assert (only.id, only.truth) == ("ILSVRC2012_val_00050000", TrueClasses((999, 1), "class 999"))
