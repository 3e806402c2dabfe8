"""The test images of NYUv2 are made from the files that its authors publish, whose axes MATLAB reverses."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import youtu_gguf as yg
from scripts.nyuv2_files import write_files
from youtu_gguf.evaluate.data.depth_sets import read_nyuv2
from youtu_gguf.images.load import load

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 12, 16, 3)).astype(np.uint8)  # n, height, width, channel
RAW = RNG.uniform(0.7, 9.9, (3, 12, 16)).astype(np.float32)
RAW[:, 0] = 0
SCENES = ("kitchen", "office", "kitchen")


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    labeled, splits = tmp_path / "nyu_depth_v2_labeled.mat", tmp_path / "splits.mat"
    with h5py.File(labeled, "w") as file:
        file["images"] = IMAGES.transpose(0, 3, 2, 1)
        file["rawDepths"] = RAW.transpose(0, 2, 1)
        file["depths"] = RAW.transpose(0, 2, 1) + 0.5
        file.create_dataset("sceneTypes", (1, 3), h5py.ref_dtype)
        for n, scene in enumerate(SCENES):
            file[f"name{n}"] = np.array([[ord(letter)] for letter in scene], np.uint16)
            file["sceneTypes"][0, n] = file[f"name{n}"].ref
    savemat(splits, {"testNdxs": np.array([[1], [2]], np.uint16), "trainNdxs": np.array([[3]], np.uint16)})
    return labeled, splits


@pytest.mark.parametrize(("filled", "more"), [(False, 0.0), (True, 0.5)])
def test_images_and_distances_are_the_published_ones(
    published: tuple[Path, Path], filled: bool, more: float, tmp_path: Path
) -> None:
    assert write_files(*published, tmp_path / "data", filled=filled) == 2
    data = read_nyuv2(tmp_path / "data", "test")
    assert [sample.id for sample in data.samples] == ["kitchen/rgb_00000", "office/rgb_00001"]
    for n, sample in enumerate(data.samples):
        assert load(sample.image).tolist() == IMAGES[n].tolist()
        assert np.abs(sample.truth.read().values - RAW[n] - more).max() <= 0.00051


def test_files_that_lack_something_are_refused(published: tuple[Path, Path], tmp_path: Path) -> None:
    labeled, splits = published
    savemat(splits, {"testNdxs": np.array([[4]])})
    with pytest.raises(yg.InputError, match=r"splits.mat: expected numbers from 1 to 3; got others"):
        write_files(labeled, splits, tmp_path)
    savemat(splits, {"trainNdxs": np.array([[4]])})
    with pytest.raises(yg.InputError, match="expected the variable testNdxs"):
        write_files(labeled, splits, tmp_path)
    savemat(splits, {"testNdxs": np.array([[1]])})
    with h5py.File(labeled, "a") as file:
        file["name0"][...] = np.array([[ord(letter)] for letter in "../../x"], np.uint16)
    with pytest.raises(yg.InputError, match=r"expected the name of a scene; got '\.\./\.\./x'"):
        write_files(labeled, splits, tmp_path)
    with h5py.File(labeled, "a") as file:
        del file["rawDepths"]
    with pytest.raises(yg.InputError, match=r"it lacks rawDepths"):
        write_files(labeled, splits, tmp_path)
