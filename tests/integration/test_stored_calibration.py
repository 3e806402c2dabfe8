"""What a calibration found out is kept by the content of the files, and used whenever they are loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import Pair
from youtu_gguf.calibration.assumptions import OWN_MODELS
from youtu_gguf.cli.main import app

OTHER = yg.Calibration(
    position_shift=-1, leading_space=True, bin_base=0, normalise="grid", final_period=True, refine="none"
)
QUESTIONS = ("position_shift", "leading_space", "normalise", "bin_base", "final_period", "refine")
SEGMENT = ("sky", "grass", "sand", "circle")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOUTU_GGUF_CALIBRATIONS", str(tmp_path / "calibrations"))
    return tmp_path / "calibrations"


@pytest.fixture(scope="module")
def report() -> Iterator[yg.calibration.CalibrationReport]:
    with yg.load("nano", threads=1, calibration="default") as model:
        yield yg.calibration.run(model)


@pytest.fixture
def copies(tiny_pair: Pair, tmp_path: Path) -> list[Path]:
    return [Path(shutil.copy(path, tmp_path)) for path in tiny_pair]


def answering(
    report: yg.calibration.CalibrationReport, calibration: yg.Calibration
) -> yg.calibration.CalibrationReport:
    """Return the report as if it had found out `calibration`."""
    findings = tuple(replace(f, answer=getattr(calibration, f.question)) for f in report.findings)
    return replace(report, findings=findings)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def test_what_is_stored_comes_back_with_its_evidence(report: yg.calibration.CalibrationReport, folder: Path) -> None:
    path = yg.calibration.store(answering(report, OTHER))
    stored = yg.calibration.stored("nano")
    assert stored is not None
    assert stored.path == path
    assert path.parent == folder
    assert stored.calibration == OTHER
    assert stored.decided == QUESTIONS
    assert stored.version == yg.__version__
    assert stored.evidence["files"][0]["name"] == "Youtu-VL-nano-Q8_0.gguf"
    assert stored.evidence["findings"][0]["images"][0] == {
        "image": "drawn 1", "figures": stored.evidence["findings"][0]["images"][0]["figures"], "understood": True,
    }  # fmt: skip


def test_loading_takes_what_is_stored_unless_told_otherwise(report: yg.calibration.CalibrationReport) -> None:
    with yg.load("nano", threads=1) as model:
        assert model.calibration == OWN_MODELS["Youtu-VL-nano"]
    yg.calibration.store(answering(report, OTHER))
    own = yg.Calibration(bin_base=0)
    for given, expected in (("stored", OTHER), ("default", yg.Calibration()), (own, own)):
        with yg.load("nano", threads=1, calibration=given) as model:  # type: ignore[arg-type]
            assert model.calibration == expected
    with pytest.raises(yg.InputError, match='calibration must be "stored", "default" or a Calibration'):
        yg.load("nano", calibration="best")  # type: ignore[arg-type]


def test_tasks_use_what_is_stored(report: yg.calibration.CalibrationReport) -> None:
    def maps(**how: object) -> tuple[np.ndarray, np.ndarray, str | None]:
        with yg.load("nano", threads=1, **how) as model:  # type: ignore[arg-type]
            scene = model.open(draw(TEST_SEEDS + 3, (256, 256)).rgb)
            labels = scene.segment(SEGMENT, present="all")
            return labels.ids, scene.depth().values, labels.refined_by

    ids, depth, refined_by = maps()
    yg.calibration.store(answering(report, OTHER))
    stored, named = maps(), maps(calibration=OTHER)
    assert np.array_equal(stored[0], named[0])
    assert np.array_equal(stored[1], named[1])
    assert not np.array_equal(stored[0], ids)
    assert not np.array_equal(stored[1], depth)
    assert (refined_by in ("crf", "guided"), stored[2]) == (True, "none")


def test_the_key_is_the_content_not_the_name(
    copies: list[Path], report: yg.calibration.CalibrationReport, tmp_path: Path
) -> None:
    with yg.load(*copies, threads=1, n_ctx=1024) as model:
        found = yg.calibration.run(model)
    yg.calibration.store(answering(found, OTHER))
    renamed = [path.rename(path.with_name(path.name.replace("Q8_0", "renamed-Q8_0"))) for path in copies]
    assert yg.calibration.stored(*renamed) is not None
    data = bytearray(renamed[0].read_bytes())
    data[-1] ^= 1
    renamed[0].write_bytes(data)
    assert yg.calibration.stored(*renamed) is None
    assert yg.calibration.stored("nano") is None


def test_another_projector_is_another_key(copies: list[Path]) -> None:
    with yg.load(*copies, threads=1, n_ctx=1024) as model:
        yg.calibration.store(yg.calibration.run(model))
    data = bytearray(copies[1].read_bytes())
    data[len(data) // 2] ^= 1
    copies[1].write_bytes(data)
    assert yg.calibration.stored(*copies) is None


DAMAGES = {
    "no JSON": lambda text: text[: len(text) // 2],
    "a list": lambda _: "[]",
    "another format": lambda text: text.replace('"format": 2', '"format": 1'),
    "another key": lambda text: text.replace('"key": "', '"key": "0'),
    "a value out of range": lambda text: text.replace('"position_shift": -1', '"position_shift": 7'),
    "a number for a truth value": lambda text: text.replace('"leading_space": true', '"leading_space": 1'),
    "a refinement nobody knows": lambda text: text.replace('"refine": "none"', '"refine": "best"'),
    "an order of steps that does not exist": lambda text: text.replace('"normalise": "grid"', '"normalise": "both"'),
    "a divisor out of range": lambda text: text.replace('"sigmoid_divisor": 4', '"sigmoid_divisor": 2'),
    "a list for a value": lambda text: text.replace('"bin_base": 0', '"bin_base": [0]'),
    "a field too few": lambda text: text.replace('    "align_corners": false,\n', ""),
    "no date": lambda text: text.replace('"date"', '"when"'),
    "decided that is no list": lambda text: text.replace('"decided": [', '"decided": {"a": [').replace(
        '],\n  "evidence"', ']},\n  "evidence"'
    ),
    "bytes of no text": lambda _: "\udcff",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_with_what_to_do(report: yg.calibration.CalibrationReport, damage: str) -> None:
    path = yg.calibration.store(answering(report, OTHER))
    text = path.read_text(encoding="utf-8")
    damaged = DAMAGES[damage](text)
    assert damaged != text
    path.write_text(damaged, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(yg.ModelFileError, match=r"expected a stored calibration in .*youtu-gguf calibrate --forget"):
        yg.load("nano")
    yg.load("nano", calibration="default", threads=1, n_ctx=512).close()
    assert yg.calibration.forget("nano") == path
    yg.load("nano", threads=1, n_ctx=512).close()


def test_the_command_measures_stores_shows_and_forgets(folder: Path) -> None:
    outcome = run("-m", "nano", "--threads", 1)
    assert outcome.exit_code == 0, outcome.output
    assert "Which position's state tells what an image token shows?" in outcome.stdout
    assert "position_shift  0: found out; as assumed" in outcome.stdout
    assert "All later runs with these files use it" in outcome.stdout
    (path,) = folder.iterdir()
    assert f"stored in {path}" in outcome.stdout
    shown = run("-m", "nano", "--show")
    assert shown.exit_code == 0
    assert "bin_base        1: found out" in shown.stdout
    assert "align_corners   False: assumed" in shown.stdout
    doctor = CliRunner().invoke(app, ["doctor", "--model", "nano"])
    assert "in use, of 20" in doctor.stdout
    forgotten = run("-m", "nano", "--forget")
    assert f"deleted {path}" in forgotten.stdout
    assert not path.exists()
    assert "nothing is stored about these files" in run("-m", "nano", "--forget").stdout
    assert "nothing is stored about these files" in run("-m", "nano", "--show").stdout


def test_a_dry_run_stores_nothing(folder: Path) -> None:
    outcome = run("-m", "nano", "--threads", 1, "--dry-run")
    assert outcome.exit_code == 0
    assert "nothing was stored (--dry-run)" in outcome.stdout
    assert not folder.exists()


def test_json_holds_all_that_was_seen(folder: Path) -> None:
    form = json.loads(run("-m", "nano", "--threads", 1, "--json").stdout)
    assert form["calibration"]["bin_base"] == 1
    assert tuple(f["question"] for f in form["findings"]) == QUESTIONS
    assert form["stored"] == str(next(folder.iterdir()))
    shown = json.loads(run("-m", "nano", "--show", "--json").stdout)
    assert shown["evidence"]["findings"] == form["findings"]
    assert json.loads(run("-m", "nano", "--forget", "--json").stdout) == {"deleted": form["stored"]}
    assert json.loads(run("-m", "nano", "--show", "--json").stdout) is None


def test_nothing_concluded_is_no_failure(tiny_pair: Pair, folder: Path) -> None:
    outcome = run("-m", tiny_pair[0], "--threads", 1)
    assert outcome.exit_code == 0, outcome.output
    assert "Nothing could be concluded about this model: all defaults stay." in outcome.stdout
    stored = yg.calibration.stored(tiny_pair[0])
    assert stored is not None
    assert (stored.decided, stored.calibration) == ((), yg.Calibration())
    doctor = CliRunner().invoke(app, ["doctor", "--model", str(tiny_pair[0])])
    assert "no conclusion" in doctor.stdout


def test_options_that_exclude_each_other_are_refused() -> None:
    outcome = run("-m", "nano", "--show", "--forget")
    assert outcome.exit_code == 2
    assert "at most one of --dry-run, --show and --forget" in outcome.stderr


def test_a_report_on_an_engine_of_ones_own_cannot_be_stored(report: yg.calibration.CalibrationReport) -> None:
    with pytest.raises(yg.InputError, match="this one is on an engine of your own"):
        yg.calibration.store(replace(report, key=None))


def test_a_folder_that_cannot_be_made_is_said(report: yg.calibration.CalibrationReport, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(yg.OutputError, match=r"expected to write .*calibrations"):
        yg.calibration.store(report)
