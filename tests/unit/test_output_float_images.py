"""Depth maps as float images: by hand, and as OpenCV and OpenEXR read them, bit for bit."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, encode

VALUES = np.random.default_rng(0).uniform(0.1, 300, (23, 31)).astype(np.float32)
VALUES[0, :3] = 0, np.nan, np.inf


def test_a_pfm_begins_with_its_lowest_row() -> None:
    assert encode(yg.DepthMap([[1, 2], [3, 4]], "m"), "pfm") == b"Pf\n2 2\n-1.0\n" + struct.pack("<4f", 3, 4, 1, 2)


def test_opencv_reads_the_numbers_of_a_pfm(tmp_path: Path) -> None:
    WRITERS["pfm"](tmp_path / "x.pfm", yg.DepthMap(VALUES, "relative"))
    read = cv2.imread(str(tmp_path / "x.pfm"), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read, VALUES, equal_nan=True)


def test_openexr_reads_the_numbers_and_the_unit_of_an_exr(tmp_path: Path) -> None:
    path = tmp_path / "x.exr"
    WRITERS["exr"](path, yg.DepthMap(VALUES, "relative"))
    file = pytest.importorskip("OpenEXR").File(str(path))
    assert np.array_equal(file.channels()["Y"].pixels, VALUES, equal_nan=True)
    assert file.header()["unit"] == "relative"


def test_an_exr_has_a_line_of_numbers_for_every_row() -> None:
    data = encode(yg.DepthMap([[1, 2], [3, 4]], "m"), "exr")
    assert struct.unpack("<2i", data[:8]) == (20000630, 2)
    end = data.index(b"unit\0string\0") + len(b"unit\0string\0") + 4 + 1 + 1  # length, "m", and the header's end
    lines = [
        struct.unpack("<2i2f", data[offset : offset + 16]) for offset in struct.unpack("<2Q", data[end : end + 16])
    ]
    assert lines == [(0, 8, 1, 2), (1, 8, 3, 4)]
    assert len(data) == end + 16 + 2 * 16


def test_an_exr_states_the_unit() -> None:
    assert b"unit\0string\0" + struct.pack("<i", 8) + b"relative" in encode(yg.DepthMap([[1]], "relative"), "exr")


@pytest.mark.parametrize("name", ["pfm", "exr"])
def test_a_map_without_pixels_is_no_float_image(name: str) -> None:
    with pytest.raises(yg.InputError, match="needs pixels"):
        encode(yg.DepthMap(np.zeros((0, 3)), "m"), name)
