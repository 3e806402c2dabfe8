"""MPII's validation split as it lies on disks: good, and broken in every place that is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

import youtu_gguf as yg
from scripts.layouts import mpii
from scripts.nano.scenes import draw
from youtu_gguf.evaluate.data.mpii import read_mpii

N = 4


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mpii")
    mpii.export(folder, N)
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "mpii"))


def records_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "annot" / "valid.json").read_text())
    return found


def test_persons_are_gathered_by_image_and_counted_from_0(folder: Path) -> None:
    data = read_mpii(folder, "val")
    assert len(data.samples) == N
    records = records_of(folder)
    rows = [place.row for sample in data.samples for place in sample.asked["places"]]
    assert sorted(rows) == list(range(len(records)))
    for sample in data.samples:
        drawn = [thing for thing in draw(int(sample.image.stem)).things if thing.joints is not None]
        for thing, place, person in zip(drawn, sample.asked["places"], sample.truth, strict=True):
            assert thing.joints is not None
            record = records[place.row]
            assert np.allclose(person.joints[person.annotated], thing.joints[person.annotated, :2])
            assert person.annotated.tolist() == [seen == 1 for seen in record["joints_vis"]]
            assert [place.x + 1, place.y + 1, place.scale] == pytest.approx([*record["center"], record["scale"]])
            neck, top = thing.joints[[8, 9], :2]
            assert person.head_px == pytest.approx(np.hypot(1, 0.75) * np.linalg.norm(neck - top))
    assert not all(person.annotated.all() for sample in data.samples for person in sample.truth)


def test_a_file_that_is_missing_is_told(folder: Path) -> None:
    image = folder / "images" / records_of(folder)[0]["image"]
    image.rename(folder / "elsewhere.png")
    with pytest.raises(yg.InputError, match=r"valid.json, \[0\]: expected the image .*; there is no such file"):
        read_mpii(folder, "val")
    (folder / "annot" / "gt_valid.mat").unlink()
    with pytest.raises(yg.InputError, match=r"expected .*gt_valid.mat; got: No such file"):
        read_mpii(folder, "val")
    (folder / "annot" / "valid.json").unlink()
    with pytest.raises(yg.InputError, match=r"expected .*valid.json; got: No such file"):
        read_mpii(folder, "val")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("image", "../a.png", "expected the name of a file below"),
        ("image", "/etc/passwd", "expected the name of a file below"),
        ("image", 3, "expected 'image' to be str"),
        ("center", [1, 2, 3], r"expected 'center' to be numbers \(2,\)"),
        ("center", [1, float("nan")], r"expected 'center' to be numbers \(2,\)"),
        ("scale", 0, "expected a scale above 0; got 0"),
        ("scale", float("nan"), "expected a scale above 0"),
        ("scale", "large", "expected 'scale' to be float"),
        ("joints", [[1, 2]], r"expected 'joints' to be numbers \(16, 2\)"),
        ("joints", [[float("nan"), 2]] * 16, r"expected 'joints' to be numbers \(16, 2\)"),
        ("joints", [[1, "x"]] * 16, r"expected 'joints' to be numbers \(16, 2\)"),
        ("joints", None, "expected 'joints' to be list"),
    ],
)
def test_a_broken_person_is_told_with_the_place(key: str, value: object, message: str, folder: Path) -> None:
    records = records_of(folder)
    records[1][key] = value
    (folder / "annot" / "valid.json").write_text(json.dumps(records))
    with pytest.raises(yg.InputError, match=rf"valid.json, \[1\]: {message}"):
        read_mpii(folder, "val")


@pytest.mark.parametrize("text", ["{}", "[]", "3"])
def test_something_else_than_a_list_of_persons_is_refused(text: str, folder: Path) -> None:
    (folder / "annot" / "valid.json").write_text(text)
    with pytest.raises(yg.InputError, match=r"valid.json: expected a list of persons"):
        read_mpii(folder, "val")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda mat: mat.pop("jnt_missing"), "expected the variable jnt_missing; there is none"),
        (lambda mat: mat.update(headboxes_src=np.zeros((2, 2, 1))), "headboxes_src: expected numbers 2x2x"),
        (lambda mat: mat.update(pos_gt_src=mat["pos_gt_src"] * np.nan), "pos_gt_src: expected finite numbers"),
        (lambda mat: mat.update(pos_gt_src=np.array([[{"a": 1}]], object)), "pos_gt_src: expected an array of numbers"),
    ],
)
def test_broken_arrays_are_refused(change: Callable[[dict[str, Any]], object], message: str, folder: Path) -> None:
    path = folder / "annot" / "gt_valid.mat"
    arrays = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    change(arrays)
    savemat(path, arrays)
    with pytest.raises(yg.InputError, match=rf"gt_valid.mat, ?{message}|gt_valid.mat: {message}"):
        read_mpii(folder, "val")


def test_files_in_different_orders_are_refused(folder: Path) -> None:
    records = records_of(folder)
    (folder / "annot" / "valid.json").write_text(json.dumps(records[::-1]))
    with pytest.raises(yg.InputError, match=r"expected the same persons in .* in the same order; their joints are"):
        read_mpii(folder, "val")
