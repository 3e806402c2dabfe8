"""Running an evaluation on the fake engine: what is written, how a later run resumes, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.squares_benchmark import SQUARES, Squares, write_squares
from youtu_gguf.batch import Journal
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.evaluate import Prediction, Sample, Scores, prepare, run, score_files
from youtu_gguf.testing import FakeEngine, FakeSession
from youtu_gguf.types import Size


class CountingEngine(FakeEngine):
    """Counts images that are opened; fails, or is interrupted, at one of them."""

    def __init__(self, fault_at: int = 0, fault: BaseException | None = None) -> None:
        super().__init__({"How many": "2"})
        self.opened, self.fault_at, self.fault = 0, fault_at, fault

    def open(self, prefix: Prefix) -> FakeSession:
        self.opened += 1
        if self.opened == self.fault_at and self.fault is not None:
            raise self.fault
        return super().open(prefix)


class Unlucky(Squares):
    """Gets no answer to one of its samples."""

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        if sample.id == "few/1/0":
            raise yg.DecodeError("no number in it")
        return super().ask(scene, sample, options)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


def evaluate(data: Path, out: Path, engine: FakeEngine | None = None, **choices: Any) -> Scores:
    more = {name: choices.pop(name) for name in ("retry", "restart", "settings") if name in choices}
    return run(yg.load(engine=engine or CountingEngine()), prepare(SQUARES, data, **choices), out, **more)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_each_image_has_a_line_with_the_answers_to_its_samples(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "out")
    first = lines(tmp_path / "out")[0]
    assert (len(lines(tmp_path / "out")), first["image"], first["size"]) == (6, "images/0.png", [40, 48])
    assert [(result["id"], result["prediction"]) for result in first["results"]] == [
        ("few/0/0", {"n": 2}),
        ("few/0/1", {"n": 2}),
    ]
    assert (tmp_path / "out" / first["results"][1]["file"]).read_bytes().startswith(b"\x89PNG")


def test_figures_stand_beside_the_authors_and_what_a_constant_gives(data: Path, tmp_path: Path) -> None:
    scores = evaluate(data, tmp_path / "out")
    assert scores == Scores.read(tmp_path / "out")
    assert scores.figures["right"].value == pytest.approx(1 / 6)
    assert scores.figures["off"].value == pytest.approx((2 + 1 + 0 + 1 + 2 + 1) / 6)
    assert (scores.n, scores.of, scores.images, scores.failed) == (12, 12, 6, 0)
    assert (scores.published, scores.baselines["always 0"]["right"]) == ({"right": 0.9}, pytest.approx(1 / 3))
    assert [(name, option.known) for name, option in scores.options.items()] == [
        ("words", "our guess"),
        ("metric", "as published"),
    ]


def test_the_same_samples_are_asked_whatever_the_limit_and_more_are_added(data: Path, tmp_path: Path) -> None:
    engine = CountingEngine()
    few = evaluate(data, tmp_path / "out", engine, limit=3)
    assert (few.n, few.of, few.limit, engine.opened) == (3, 12, 3, few.images)
    more = evaluate(data, tmp_path / "out", limit=9)
    assert (more.n, more.failed) == (9, 0)
    whole = evaluate(data, tmp_path / "out")
    assert timeless(whole.to_json()) == timeless(evaluate(data, tmp_path / "undisturbed").to_json())
    for smaller, larger in ((3, 9), (9, 12)):
        chosen, others = ({s.id for s in prepare(SQUARES, data, limit=n).samples} for n in (smaller, larger))
        assert (len(chosen), chosen <= others) == (smaller, True)


def test_another_seed_chooses_other_samples(data: Path) -> None:
    chosen = [[s.id for s in prepare(SQUARES, data, limit=4, seed=seed).samples] for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_what_is_finished_is_not_asked_again_even_where_the_data_set_has_moved(data: Path, tmp_path: Path) -> None:
    evaluate(data, tmp_path / "out")
    engine = CountingEngine()
    evaluate(data.rename(tmp_path / "moved"), tmp_path / "out", engine)
    assert engine.opened == 0


@pytest.mark.parametrize("at", [1, 3, 6])
def test_an_interruption_changes_nothing(data: Path, tmp_path: Path, at: int) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "figures.json").write_text("{}")  # of a run that asked fewer samples
    with pytest.raises(KeyboardInterrupt):
        evaluate(data, tmp_path / "out", CountingEngine(at, KeyboardInterrupt()))
    assert not (tmp_path / "out" / "figures.json").exists()
    whole = evaluate(data, tmp_path / "undisturbed")
    again = evaluate(data, tmp_path / "out")
    assert timeless(lines(tmp_path / "out")) == timeless(lines(tmp_path / "undisturbed"))
    assert timeless(again.to_json()) == timeless(whole.to_json())
    names = [
        sorted(path.relative_to(tmp_path / out) for path in (tmp_path / out).rglob("*.png"))
        for out in ("out", "undisturbed")
    ]
    assert names[0] == names[1]


def test_samples_of_an_image_with_an_error_count_as_wrong_until_they_are_asked_again(
    data: Path, tmp_path: Path
) -> None:
    scores = evaluate(data, tmp_path / "out", CountingEngine(3, yg.EngineError("no memory")))
    assert (scores.failed, scores.figures["right"].value) == (2, 0.0)
    assert lines(tmp_path / "out")[2]["error"] == {"class": "EngineError", "message": "no memory"}
    engine = CountingEngine()
    again = evaluate(data, tmp_path / "out", engine, retry=True)
    assert (again.failed, again.figures["right"].value, engine.opened) == (0, pytest.approx(1 / 6), 1)


def test_a_question_that_fails_does_not_lose_the_others(data: Path, tmp_path: Path) -> None:
    exam = replace(prepare(SQUARES, data), benchmark=replace(SQUARES, kind=Unlucky()))
    scores = run(yg.load(engine=CountingEngine()), exam, tmp_path / "out")
    assert scores.failed == 1
    assert [("error" in result) for result in lines(tmp_path / "out")[1]["results"]] == [True, False]


def test_an_image_of_another_size_than_the_data_say_is_not_asked(data: Path, tmp_path: Path) -> None:
    exam = prepare(SQUARES, data)
    first, *others = exam.samples
    exam = replace(exam, samples=[replace(first, size=Size(3, 2)), *others])
    scores = run(yg.load(engine=CountingEngine()), exam, tmp_path / "out")
    line = lines(tmp_path / "out")[0]
    assert "to have 3x2 pixels, as the data say; got 40x48. Use the original" in line["error"]["message"]
    assert "results" not in line
    assert scores.failed == sum(sample.image == first.image for sample in exam.samples)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"split": "few"}, "split: all before, few now"),
        ({"preset": "fast"}, r"settings\.\w+: .*Count.* before"),
        ({"settings": {"temperature": 0.7}}, r"options\.temperature: "),
    ],
)
def test_a_folder_of_other_choices_is_refused(
    data: Path, tmp_path: Path, choices: dict[str, Any], message: str
) -> None:
    evaluate(data, tmp_path / "out")
    with pytest.raises(yg.InputError, match=message):
        evaluate(data, tmp_path / "out", **choices)
    assert evaluate(data, tmp_path / "out", restart=True, **choices).failed == 0


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_asked(data: Path) -> None:
    engine = CountingEngine()
    with pytest.raises(yg.OutputError, match=r"expected to write .*squares\.json"):
        evaluate(data, data / "squares.json", engine)
    assert engine.opened == 0


def test_missing_images_are_refused_before_anything_is_asked(data: Path, tmp_path: Path) -> None:
    few = prepare(SQUARES, data, limit=2)
    for i in range(6):
        if data / "images" / f"{i}.png" not in {sample.image for sample in few.samples}:
            (data / "images" / f"{i}.png").unlink()
    n = len({sample.image for sample in few.samples})
    with pytest.raises(yg.InputError, match=rf"{6 - n} of 6 are missing, the first is .*\.png.*eval list squares"):
        evaluate(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert evaluate(data, tmp_path / "out", limit=2).failed == 0  # only those that are asked are needed


def test_two_runs_in_one_folder_are_refused(data: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "out", {}), pytest.raises(yg.InputError, match="another batch is at work"):
        evaluate(data, tmp_path / "out")


def test_settings_that_were_changed_are_those_of_the_run(data: Path, tmp_path: Path) -> None:
    scores = evaluate(data, tmp_path / "out", changed={"words": "Tell"})
    assert (scores.options["words"].value, scores.options["words"].known) == ("Tell", "changed")
    assert score_files(prepare(SQUARES, data, preset="fast"), tmp_path / "out") == scores
    form = json.loads((tmp_path / "out" / "settings.json").read_text())
    for settings, message in (
        ({"words": "7", "metric": "exact"}, "a word; got '7'"),
        ({}, "settings words, metric in"),
    ):
        (tmp_path / "out" / "settings.json").write_text(json.dumps({**form, "settings": settings}))
        with pytest.raises(yg.InputError, match=message):
            score_files(prepare(SQUARES, data), tmp_path / "out")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"split": "val"}, "has the splits all, few, none; got 'val'"),
        ({"split": "none"}, "expected samples of squares none"),
        ({"preset": "best"}, "report or fast; got 'best'"),
        ({"changed": {"zoom": 2}}, "has the settings words; got 'zoom'"),
        ({"changed": {"metric": "soft"}}, "has the settings words; got 'metric'"),
        ({"limit": 0}, "at least 1 sample; got 0"),
    ],
)
def test_impossible_choices_are_refused(data: Path, choices: dict[str, Any], message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        prepare(SQUARES, data, **choices)


def test_missing_data_and_data_with_one_id_twice_are_refused(data: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "gone", data / "squares.json"):
        with pytest.raises(yg.InputError, match="folder of a data set"):
            prepare(SQUARES, path)
    form = json.loads((data / "squares.json").read_text())
    (data / "squares.json").write_text(json.dumps([*form, form[3]]))
    with pytest.raises(yg.InputError, match=r"'few/1/1' is there 2 times"):
        prepare(SQUARES, data)


def test_a_run_is_scored_again_from_its_lines_alone(data: Path, tmp_path: Path) -> None:
    scores = evaluate(data, tmp_path / "out", preset="fast", limit=7, seed=3)
    (tmp_path / "out" / "figures.json").unlink()
    again = score_files(prepare(SQUARES, data), tmp_path / "out")
    assert again == scores
    assert score_files(prepare(SQUARES, data, limit=12), tmp_path / "out").n == 12
    shutil.rmtree(tmp_path / "out" / "files")
    with pytest.raises(yg.InputError, match=r"sample '.*': expected a prediction in"):
        score_files(prepare(SQUARES, data), tmp_path / "out")
