"""Where a focal length is from, as files state it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.decode.depth import assumed_focal
from youtu_gguf.output import UNKNOWN, WRITERS, Source, encode
from youtu_gguf.output.camera import camera_of, with_focal
from youtu_gguf.types import Size

METRES = yg.DepthMap(np.ones((24, 36)), "m")
ASSUMED = 26.0  # a 36x24 mm frame has a pixel for each millimetre here


def by(focal_px: float) -> yg.DepthMap:
    return yg.DepthMap(METRES.values, "m", focal_px)


@pytest.mark.parametrize(
    ("depth", "source", "focal_px", "focal_from"),
    [
        (METRES, UNKNOWN, None, None),
        (METRES, Source(focal_px=30), 30, "given"),
        (METRES, Source(focal_px=30, focal_from="exif"), 30, "exif"),
        (METRES, Source(focal_px="assumed"), ASSUMED, "assumed"),
        (by(30), Source(focal_px=30, focal_from="exif"), 30, "exif"),
        (by(31), Source(focal_px=30, focal_from="exif"), 31, "given"),
        (by(30), UNKNOWN, 30, "given"),
        (by(30), Source(focal_px="assumed"), 30, "given"),
        (by(ASSUMED), Source(focal_px="assumed"), ASSUMED, "assumed"),
        (by(ASSUMED), UNKNOWN, ASSUMED, "assumed"),
        (by(ASSUMED), Source(focal_px=ASSUMED, focal_from="exif"), ASSUMED, "exif"),
    ],
)
def test_the_focal_length_that_made_the_metres_comes_first(
    depth: yg.DepthMap, source: Source, focal_px: float | None, focal_from: str | None
) -> None:
    camera = camera_of(depth, source)
    assert (camera.focal_px, camera.focal_from) == (pytest.approx(focal_px), focal_from)
    assert (camera.cx, camera.cy) == (18, 12)


def test_the_assumed_angle_of_view_is_that_of_26_mm_on_35_mm_film() -> None:
    assert assumed_focal(Size(3600, 2400)) == pytest.approx(2600)
    assert assumed_focal(Size(2400, 3600)) == pytest.approx(2600)


@pytest.mark.parametrize(
    ("given", "focal_px", "focal_from"), [(None, 9, "exif"), ("assumed", 9, "exif"), (7, 7, "given")]
)
def test_what_the_user_gives_replaces_what_the_file_tells_and_an_assumption_does_not(
    given: Any, focal_px: float, focal_from: str
) -> None:
    source = with_focal(Source(focal_px=9, focal_from="exif"), given)
    assert (source.focal_px, source.focal_from) == (focal_px, focal_from)


@pytest.mark.parametrize("wrong", ["guess", -1, 0, math.nan, 1e9, True])
def test_a_focal_length_that_no_camera_has_is_refused(wrong: Any) -> None:
    with pytest.raises(yg.InputError, match="focal"):
        with_focal(UNKNOWN, wrong)


def test_a_point_cloud_states_where_its_focal_length_is_from() -> None:
    header = encode(METRES, "ply", Source(focal_px="assumed")).split(b"end_header")[0].decode("ascii")
    assert "comment focal length 26.00 px (assumed)\n" in header


def test_a_depth_image_without_a_focal_length_says_so(tmp_path: Path) -> None:
    WRITERS["depth.png"](tmp_path / "x.depth.png", METRES)
    form = json.loads((tmp_path / "x.depth.json").read_text("utf-8"))
    assert (form["fx"], form["fy"], form["focal_from"]) == (None, None, None)
