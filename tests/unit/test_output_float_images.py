"""Depth maps as float images, read back by OpenCV: by hand, and larger ones bit for bit."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, encode

VALUES = np.random.default_rng(0).uniform(0.1, 300, (23, 31)).astype(np.float32)
VALUES[0, :3] = 0, np.nan, np.inf

READ = """
import sys, cv2
image = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
sys.stdout.buffer.write(image.astype("<f4").tobytes())
"""


def test_a_pfm_begins_with_its_lowest_row() -> None:
    assert encode(yg.DepthMap([[1, 2], [3, 4]], "m"), "pfm") == b"Pf\n2 2\n-1.0\n" + struct.pack("<4f", 3, 4, 1, 2)


def test_opencv_reads_the_numbers_of_a_pfm(tmp_path: Path) -> None:
    WRITERS["pfm"](tmp_path / "x.pfm", yg.DepthMap(VALUES, "relative"))
    read = cv2.imread(str(tmp_path / "x.pfm"), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read, VALUES, equal_nan=True)


def test_opencv_reads_the_numbers_of_an_exr(tmp_path: Path) -> None:
    if "OpenEXR:                     build" not in cv2.getBuildInformation():
        pytest.skip("this OpenCV reads no EXR files")
    path = tmp_path / "x.exr"
    WRITERS["exr"](path, yg.DepthMap(VALUES, "m"))
    environment = {"OPENCV_IO_ENABLE_OPENEXR": "1"}
    read = subprocess.run([sys.executable, "-c", READ, path], env=environment, capture_output=True, check=True)
    assert np.array_equal(np.frombuffer(read.stdout, "<f4").reshape(VALUES.shape), VALUES, equal_nan=True)


def test_an_exr_states_the_unit() -> None:
    assert b"unit\0string\0" + struct.pack("<i", 8) + b"relative" in encode(yg.DepthMap([[1]], "relative"), "exr")


@pytest.mark.parametrize("name", ["pfm", "exr"])
def test_a_map_without_pixels_is_no_float_image(name: str) -> None:
    with pytest.raises(yg.InputError, match="needs pixels"):
        encode(yg.DepthMap(np.zeros((0, 3)), "m"), name)
