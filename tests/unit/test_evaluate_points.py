"""Points on screenshots: how they are read, asked and measured, in ScreenSpot-Pro's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.layouts import screenspot
from youtu_gguf.evaluate import BENCHMARKS, Data, Prediction, Sample
from youtu_gguf.testing import FakeEngine

SPOTS = BENCHMARKS["screenspot-pro"]
GROUPS = ("dev", "creative", "cad", "scientific", "office", "os")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screens")
    screenspot.export(folder, 6)
    return folder


def figures(data: Data, answer: Callable[[Sample], Prediction | None]) -> dict[str, float]:
    measure = SPOTS.kind.measure(data, SPOTS.options())
    for sample in data.samples:
        measure.add(sample, answer(sample))
    return measure.figures()


def record(**changed: Any) -> dict[str, Any]:
    return {
        "img_filename": "a.png", "bbox": [10, 20, 30, 40], "instruction": "open", "img_size": [100, 80],
        "ui_type": "icon", "group": "CAD", **changed,
    }  # fmt: skip


def read(tmp_path: Path, *records: Any, split: str = "en") -> Data:
    (tmp_path / "annotations").mkdir(exist_ok=True)
    (tmp_path / "annotations" / "cad_windows.json").write_text(json.dumps(records))
    return SPOTS.read(tmp_path, split)


def test_the_truth_as_answer_is_all_right(folder: Path) -> None:
    data = SPOTS.read(folder, "en")
    found = figures(data, SPOTS.kind.perfect)
    assert found == {"accuracy": 1.0, **dict.fromkeys(GROUPS, 1.0), "text": 1.0, "icon": 1.0, "no_point": 0.0}
    assert all(sample.image.is_file() for sample in data.samples)


def test_the_split_is_the_language_of_the_instructions(folder: Path) -> None:
    english, chinese = (SPOTS.read(folder, split).samples for split in ("en", "cn"))
    assert [sample.id for sample in english] == [sample.id for sample in chinese]
    assert english[0].asked["instruction"].startswith("click on ")
    assert chinese[0].asked["instruction"].startswith("点击 ")


@pytest.mark.parametrize(
    ("point", "right"),
    [([20, 30], 1), ([10, 20], 1), ([30, 40], 1), ([30.01, 40], 0), ([9.9, 30], 0), ([20, 19], 0), (None, 0)],
)
def test_a_point_is_right_in_the_box_and_on_its_border(tmp_path: Path, point: Any, right: float) -> None:
    found = figures(read(tmp_path, record()), lambda _: Prediction({"point": point}))
    assert (found["accuracy"], found["no_point"]) == (right, float(point is None))


def test_groups_are_counted_by_themselves(tmp_path: Path) -> None:
    data = read(tmp_path, record(), record(group="Dev", ui_type="text"), record(group="Games"), record(group=None))
    found = figures(data, lambda s: None if s.id.endswith("-1") else SPOTS.kind.perfect(s))
    assert (found["accuracy"], found["cad"], found["dev"], found["text"], found["icon"]) == (0.75, 1, 0, 0, 1)
    assert np.isnan(found["office"])


@pytest.mark.parametrize("form", [{}, {"point": [1]}, {"point": [1, "2"]}, {"point": [1, float("inf")]}])
def test_what_is_no_point_is_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    with pytest.raises(yg.InputError, match="answer to cad_windows-0"):
        figures(read(tmp_path, record()), lambda _: Prediction(form))


BROKEN = {
    "no object": (5, "expected an object"),
    "a box as width and height": (record(bbox=[90, 20, 30, 40]), "left, top, right, bottom in 100x80"),
    "a box outside": (record(bbox=[10, 20, 30, 90]), "left, top, right, bottom in 100x80"),
    "three numbers": (record(bbox=[10, 20, 30]), "'bbox' to be 4 numbers"),
    "no size": (record(img_size=None), "'img_size' to be list"),
    "not a number": (record(bbox=[10, 20, 30, float("nan")]), "left, top, right, bottom"),
    "out of the folder": (record(img_filename="../a.png"), "leads out"),
    "absolute": (record(img_filename="/a.png"), "leads out"),
    "no instruction": (record(instruction=None), "'instruction' to be str"),
}


@pytest.mark.parametrize(("broken", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_records_are_refused_with_their_place(tmp_path: Path, broken: Any, message: str) -> None:
    with pytest.raises(yg.InputError, match=rf"cad_windows.json, \[1\].*{message}"):
        read(tmp_path, record(), broken)


def test_a_language_that_the_data_lack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"\[0\]: expected 'instruction_cn'"):
        read(tmp_path, record(), split="cn")


def test_a_folder_without_instructions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"annotations to hold files that end in \.json; there are none"):
        SPOTS.read(tmp_path, "en")
    with pytest.raises(yg.InputError, match="expected a list of objects"):
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "a.json").write_text("{}")
        SPOTS.read(tmp_path, "en")


ANSWER = (
    'Action: click.\n<tool_call>{"name":"computer_use","arguments":{"action":"double_click","coordinate":[64,32]}}'
    "</tool_call>"
)


@pytest.mark.parametrize(
    ("answer", "form"),
    [(ANSWER, {"point": [64, 32], "action": "double_click"}), ("I cannot.", {"point": None, "action": ""})],
)
def test_the_model_is_asked_where_to_click(tmp_path: Path, answer: str, form: dict[str, Any]) -> None:
    (sample,) = read(tmp_path, record()).samples
    scene = yg.load(engine=FakeEngine({"open": answer})).open(np.zeros((96, 128, 3), np.uint8))
    assert SPOTS.kind.ask(scene, sample, SPOTS.options()).form == form


def test_the_baseline_is_the_middle_of_the_image(tmp_path: Path) -> None:
    data = read(tmp_path, record(), record(bbox=[40, 30, 60, 50]))
    ((_, middle),) = SPOTS.kind.baselines(data, SPOTS.options()).items()
    assert middle(data.samples[0]).form == {"point": [50, 40]}
    assert figures(data, middle)["accuracy"] == 0.5


def test_the_log_of_the_benchmarks_own_program_is_read(tmp_path: Path) -> None:
    data = read(tmp_path, record(), record(instruction="close"), record(instruction="close"))
    details = [
        {"task_filename": "cad_windows", "prompt_to_evaluate": words, "bbox": [10, 20, 30, 40], "pred": point}
        for words, point in (("close", [20, 30]), ("open", None), ("close", [0.5, 0.5]))
    ]
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"details": details}))
    answers = SPOTS.kind.read_predictions(path, data)
    assert {name: answer.form["point"] for name, answer in answers.items()} == {
        "cad_windows-0": None, "cad_windows-1": [20, 30], "cad_windows-2": [0.5, 0.5],
    }  # fmt: skip
    path.write_text(json.dumps({"details": [*details, details[1]]}))
    with pytest.raises(yg.InputError, match=r"details\[3\]: expected an instruction of this split, once; got 'open'"):
        SPOTS.kind.read_predictions(path, data)
