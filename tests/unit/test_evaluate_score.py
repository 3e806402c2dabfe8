"""Scoring answers of any program: what is read, and what is refused with file and line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.squares_benchmark import SQUARES, said, write_squares
from youtu_gguf.evaluate import Scores, find_scores, markdown, prepare, run, score, score_files
from youtu_gguf.evaluate.lines import read_run
from youtu_gguf.evaluate.table import COLUMNS, notes, rows, text
from youtu_gguf.testing import FakeEngine


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data", n=4, each=1)


def write(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(text if isinstance(text, str) else json.dumps(text) for text in records) + "\n")
    return path


TRUTH = {"few/0/0": 0, "few/1/0": 1, "many/2/0": 2, "many/3/0": 3}


def answer(name: str, n: Any) -> dict[str, Any]:
    return {"id": name, "prediction": {"n": n}}


def test_the_truth_as_prediction_gives_exactly_one(data: Path) -> None:
    exam = prepare(SQUARES, data)
    scores = score(exam, {sample.id: SQUARES.kind.perfect(sample) for sample in exam.samples})
    assert [(figure.value, figure.low, figure.high) for figure in scores.figures.values()] == [(1, 1, 1), (0, 0, 0)]


def test_predictions_of_any_program_are_read_with_their_pixels(data: Path, tmp_path: Path) -> None:
    (tmp_path / "pixels").mkdir()
    records = []
    for name, n in TRUTH.items():
        png = said(n).png
        assert isinstance(png, bytes)
        (tmp_path / "pixels" / f"{n}.png").write_bytes(png)
        records.append(answer(name, n) | {"file": f"pixels/{n}.png"})
    scores = score_files(prepare(SQUARES, data), write(tmp_path / "predictions.jsonl", *records))
    assert (scores.figures["right"].value, scores.failed, scores.model, scores.seconds) == (1.0, 0, None, None)


def test_samples_without_an_answer_count_as_wrong(data: Path, tmp_path: Path) -> None:
    records = [answer("few/0/0", 0), {"id": "few/1/0", "error": {"class": "X", "message": "y"}}, answer("many/2/0", 2)]
    scores = score_files(prepare(SQUARES, data), write(tmp_path / "p.jsonl", *records))
    assert (scores.figures["right"].value, scores.failed) == (0.5, 2)


def test_answers_to_samples_that_a_limit_leaves_out_are_ignored(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", *(answer(name, n) for name, n in TRUTH.items()))
    scores = score_files(prepare(SQUARES, data, limit=2), path)
    assert (scores.n, scores.of, scores.failed, scores.figures["right"].value) == (2, 4, 0, 1.0)


def test_files_in_the_form_of_the_kind_are_left_to_it(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "counts.json", {"counts": TRUTH})
    assert score_files(prepare(SQUARES, data), path).figures["right"].value == 1.0
    write(path, {"counts": {"of/another": 1}})
    with pytest.raises(yg.InputError, match=r"squares all in .*data; .*counts.json has one to 'of/another'"):
        score_files(prepare(SQUARES, data), path)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([answer("few/0/0", 0), answer("few/0/0", 1)], "line 2: expected one answer .* 'few/0/0' has a second one"),
        ([{"id": "few/0/0", "error": {}}, answer("few/0/0", 1)], "line 2: expected one answer"),
        ([answer("refcoco/7", 0)], "line 1: expected the id of a sample of squares all; got 'refcoco/7'"),
        (['{"id": "few/0/0", "prediction": {"n": NaN}}'], "line 1: expected finite numbers"),
        (['{"id": "few/0/0", "prediction": {"n": [[1e999]]}}'], "line 1: expected finite numbers"),
        ([{"id": "few/0/0"}], "line 1: expected 'prediction'"),
        ([{"id": 7, "prediction": {}}], "line 1: expected 'id' to be str; got 7"),
        ([[1, 2]], "line 1: expected an object with 'id'"),
        (["{"], "line 1, column 2: expected JSON"),
        ([""], "there are none"),
        ([answer("few/0/0", 0) | {"file": "../0.png"}], "which leads out of it"),
        ([answer("few/0/0", 0) | {"file": "gone.png"}], "sample 'few/0/0': expected a prediction in .*gone.png"),
        ([answer("few/0/0", "two")], "sample 'few/0/0': prediction: expected 'n' to be int; got 'two'"),
    ],
)
def test_broken_predictions_are_refused_with_their_place(
    data: Path, tmp_path: Path, records: list[Any], message: str
) -> None:
    with pytest.raises(yg.InputError, match=message):
        score_files(prepare(SQUARES, data), write(tmp_path / "p.jsonl", *records))


@pytest.fixture
def out(data: Path, tmp_path: Path) -> Path:
    run(yg.load(engine=FakeEngine({"How many": "2"})), prepare(SQUARES, data), tmp_path / "out")
    return tmp_path / "out"


def test_a_run_of_another_split_or_benchmark_or_a_batch_is_refused(data: Path, out: Path) -> None:
    with pytest.raises(yg.InputError, match=r"expected a run of squares few; .* is one of squares all"):
        score_files(prepare(SQUARES, data, split="few"), out)
    write(out / "settings.json", {"format": 2, "tasks": ["detect"]})
    with pytest.raises(yg.InputError, match="something that is no evaluation"):
        score_files(prepare(SQUARES, data), out)


def test_answers_that_do_not_exist_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"gone\.jsonl, which does not exist"):
        score_files(prepare(SQUARES, data), tmp_path / "gone.jsonl")


def test_a_run_that_was_killed_is_scored_as_far_as_it_came(data: Path, out: Path) -> None:
    whole = (out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(whole[:-30])
    assert score_files(prepare(SQUARES, data), out).failed == 1
    (out / "results.jsonl").write_bytes(whole.replace(b'{"schema"', b'{"schema', 1))
    with pytest.raises(yg.InputError, match=r"results\.jsonl, line 1: expected JSON"):
        read_run(out)


def test_a_table_has_the_figures_beside_the_authors_and_says_what_is_a_guess(out: Path) -> None:
    scores = Scores.read(out)
    cells = [dict(zip(COLUMNS, row, strict=True)) for row in rows(scores)]
    assert [(cell["figure"], cell["value"], cell["authors"]) for cell in cells] == [
        ("Accuracy", "25.0", "90.0"),
        ("Mean error", "1", "-"),
    ]
    assert [cell["best baseline"] for cell in cells] == ["25.0 (always 0)", "1.5 (always 0)"]
    assert cells[0]["95 % interval"] == "0.0 to 75.0"
    assert notes([scores, scores]) == ["Squares, all: settings that are our guess: words Count."]


def test_a_table_of_several_folders_in_markdown(out: Path, tmp_path: Path) -> None:
    several = find_scores([tmp_path])
    table = markdown([*several, *several]).splitlines()
    assert [line.count("|") for line in table[:6]] == [len(COLUMNS) + 6] * 6
    assert table[7].startswith("- Squares, all: ")
    with pytest.raises(yg.InputError, match=r"expected figures\.json in"):
        find_scores([tmp_path / "data"])


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ({"model": {"fingerprint": "0123456789abcdef"}}, "01234567"),
        ({"model": {"name": "youtu-vl of a server"}}, "youtu-vl of a server"),
        ({"model": {"name": None}}, "-"),
        (None, "-"),
    ],
)
def test_a_table_of_several_runs_tells_their_models_apart(out: Path, model: Any, shown: str) -> None:
    scores = replace(Scores.read(out), model=model)
    assert markdown([scores]).splitlines()[2].endswith(f"| {shown} |")
    assert f"model: {shown})" in text([scores, scores])


@pytest.mark.parametrize("broken", ["{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_broken_figures_are_refused(out: Path, broken: str) -> None:
    (out / "figures.json").write_text(broken)
    with pytest.raises(yg.InputError, match=r"figures\.json"):
        find_scores([out])
