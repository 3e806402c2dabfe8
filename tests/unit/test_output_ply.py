"""Points in space, by hand and by a reader of this file's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import youtu_gguf as yg
from youtu_gguf.output import Source, encode
from youtu_gguf.output.ply import depth_to_ply

KINDS = {"float": "<f4", "uchar": "u1"}
METRES = yg.DepthMap([[2, 0, 4], [1, np.nan, np.inf]], "m", focal_px=2)


def read(data: bytes) -> npt.NDArray[np.void]:
    header, body = data.split(b"end_header\n", 1)
    first, form, *lines = header.decode("ascii").splitlines()
    assert (first, form) == ("ply", "format binary_little_endian 1.0")
    words = [line.split() for line in lines if not line.startswith("comment")]
    assert words[0][:2] == ["element", "vertex"]
    points = np.frombuffer(body, [(name, KINDS[kind]) for _, kind, name in words[1:]])
    assert len(points) == int(words[0][2])
    return points


def test_a_pixel_is_a_point_on_the_ray_through_its_middle() -> None:
    points = read(depth_to_ply(METRES, 2.0))
    assert points.dtype.names == ("x", "y", "z")
    assert points.tolist() == [(-1, -0.5, 2), (2, -1, 4), (-0.5, 0.25, 1)]


def test_points_have_the_colours_of_their_pixels() -> None:
    rgb = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    points = read(encode(METRES, "ply", Source(rgb)))
    assert points[["red", "green", "blue"]].tolist() == [(0, 1, 2), (6, 7, 8), (9, 10, 11)]


def test_a_step_leaves_points_out_and_moves_none() -> None:
    values = np.random.default_rng(0).uniform(1, 9, (9, 14)).astype(np.float32)
    rgb = np.random.default_rng(1).integers(0, 256, (9, 14, 3), np.uint8)
    whole = read(depth_to_ply(yg.DepthMap(values, "m"), 7.0, rgb)).reshape(9, 14)
    some = read(depth_to_ply(yg.DepthMap(values, "m"), 7.0, rgb, step=4)).reshape(3, 4)
    assert np.array_equal(some, whole[::4, ::4])


def test_every_point_falls_back_on_its_pixel() -> None:
    depth = yg.DepthMap(np.random.default_rng(0).uniform(0.5, 90, (20, 30)), "m")
    points = read(depth_to_ply(depth, 25.0))
    u, v = points["x"] / points["z"] * 25 + 15, points["y"] / points["z"] * 25 + 10
    rows, columns = np.mgrid[:20, :30] + 0.5
    assert np.abs(u - columns.ravel()).max() < 1e-4  # float32 of coordinates up to 30
    assert np.abs(v - rows.ravel()).max() < 1e-4


def test_the_focal_length_is_that_of_the_distances_or_else_of_the_image() -> None:
    indoor = yg.DepthMap([[2, 2]], "m")
    assert encode(indoor, "ply", Source(focal_px=3)) == depth_to_ply(indoor, 3.0)
    assert encode(METRES, "ply", Source(focal_px=3)) == depth_to_ply(METRES, 2.0)


@pytest.mark.parametrize(
    ("depth", "source", "told"),
    [
        (yg.DepthMap([[1]], "relative"), Source(focal_px=3), "needs metres; got relative"),
        (yg.DepthMap([[1]], "m"), Source(), "needs the focal length in pixels"),
        (METRES, Source(np.zeros((3, 3, 3), np.uint8)), "colours must be those of"),
    ],
)
def test_what_gives_no_points_is_refused(depth: yg.DepthMap, source: Source, told: str) -> None:
    with pytest.raises(yg.InputError, match=told):
        encode(depth, "ply", source)


def test_a_step_is_one_at_least() -> None:
    with pytest.raises(yg.InputError, match="must be 1 or more; got 0"):
        depth_to_ply(METRES, 2.0, step=0)
