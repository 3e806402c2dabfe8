"""Distances of DDAD's images are made from the lidar's points: moved, projected, and drawn into pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

import youtu_gguf as yg
from scripts.ddad_files import depth_of, write_files
from youtu_gguf.evaluate.data.depth_sets import read_ddad

WIDTH, HEIGHT = 24, 16
CAMERA = {"fx": 20.0, "fy": 21.0, "cx": 11.5, "cy": 7.25, "skew": 0.0}
K = np.array([[20.0, 0, 11.5], [0, 21.0, 7.25], [0, 0, 1]])
POSES = {"LIDAR": ([0.2, -0.4, 1.1], [3.0, -2.0, 1.5]), "CAMERA_01": ([-1.2, 0.3, 0.7], [2.5, -2.2, 1.0])}
RNG = np.random.default_rng(0)
DEPTH = RNG.uniform(2, 100, (HEIGHT, WIDTH)) * (RNG.random((HEIGHT, WIDTH)) < 0.3)
Floats = npt.NDArray[np.float64]


def pose_of(sensor: str) -> tuple[Rotation, Floats]:
    angles, shift = POSES[sensor]
    return Rotation.from_euler("xyz", angles), np.array(shift)


def pose_json(sensor: str) -> dict[str, Any]:
    turn, shift = pose_of(sensor)
    x, y, z, w = turn.as_quat().tolist()
    return {
        "rotation": {"qw": w, "qx": x, "qy": y, "qz": z},
        "translation": dict(zip("xyz", shift.tolist(), strict=True)),
    }


def lidar_points() -> Floats:
    """Return the points in the lidar's frame that the camera sees as DEPTH, in the middle of each pixel."""
    v, u = np.nonzero(DEPTH)
    seen = (np.linalg.inv(K) @ np.stack([u + 0.5, v + 0.5, np.ones(len(u))])).T * DEPTH[v, u][:, None]
    behind = np.array([[0, 0, -5.0], [400, 0, 5.0]])  # the second is far off the image
    turn, shift = pose_of("CAMERA_01")
    world = turn.apply(np.concatenate([seen, behind])) + shift
    turn, shift = pose_of("LIDAR")
    return np.asarray(turn.inv().apply(world - shift))


@pytest.fixture
def ddad(tmp_path: Path) -> Path:
    scene = tmp_path / "000150"
    for name in ("rgb/CAMERA_01", "point_cloud/LIDAR", "calibration"):
        (scene / name).mkdir(parents=True)
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(scene / "rgb" / "CAMERA_01" / "1561.png")
    points = lidar_points()
    np.savez(scene / "point_cloud" / "LIDAR" / "1561.npz", data=np.concatenate([points, np.ones((len(points), 1))], 1))
    calibration = {"names": ["LIDAR", "CAMERA_01"], "intrinsics": [{}, CAMERA], "extrinsics": []}
    (scene / "calibration" / "abc.json").write_text(json.dumps(calibration))
    lidar = {"filename": "point_cloud/LIDAR/1561.npz", "pose": pose_json("LIDAR"), "point_format": ["X", "Y", "Z"]}
    camera = {"filename": "rgb/CAMERA_01/1561.png", "pose": pose_json("CAMERA_01"), "width": WIDTH, "height": HEIGHT}
    data = [
        {"key": "a", "id": {"name": "LIDAR"}, "datum": {"point_cloud": lidar}},
        {"key": "b", "id": {"name": "CAMERA_01"}, "datum": {"image": camera}},
    ]
    samples = [{"datum_keys": ["a", "b"], "calibration_key": "abc"}]
    (scene / "scene_1.json").write_text(json.dumps({"data": data, "samples": samples}))
    splits = {"0": {"filenames": ["000000/scene_0.json"]}, "1": {"filenames": ["000150/scene_1.json"]}}
    (tmp_path / "ddad.json").write_text(json.dumps({"scene_splits": splits}))
    return tmp_path


def test_the_distances_are_those_that_the_camera_saw(ddad: Path) -> None:
    assert write_files(ddad) == 1
    (sample,) = read_ddad(ddad, "val").samples
    assert sample.id == "000150/rgb/CAMERA_01/1561"
    assert np.abs(sample.truth.read().values - DEPTH).max() <= 0.5 / 256


def test_pixels_are_those_of_the_data_sets_own_code() -> None:
    # In TRI-ML/dgp places are rounded towards 0, and the last of several points in a pixel is kept.
    points = np.array([[-0.55 / 20, -0.5 / 21, 1.0], [-0.5, 0, 1.0], [3.0, 0, 3.0], [5.1, 0, 5.0]])
    depth = depth_of(points, np.array([[20.0, 0, 0], [0, 21.0, 0], [0, 0, 1]]), WIDTH, HEIGHT)
    assert depth[0, 0] == 1.0
    assert depth[0, 20] == 5.0
    assert np.count_nonzero(depth) == 2


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("ddad.json", "{}", "ddad.json: expected 'scene_splits'"),
        ("ddad.json", '{"scene_splits": {"1": {"filenames": ["../x.json"]}}}', "expected the name of a file below"),
        ("000150/scene_1.json", '{"data": [], "samples": [{}]}', "scene_1.json: expected 'calibration_key'"),
        (
            "000150/scene_1.json",
            '{"data": [], "samples": [{"calibration_key": "abc", "datum_keys": []}]}',
            "scene_1.json, LIDAR: expected an object with 'point_cloud'",
        ),
        (
            "000150/calibration/abc.json",
            '{"names": ["LIDAR"], "intrinsics": [{}]}',
            "expected the intrinsics of CAMERA_01",
        ),
        ("000150/point_cloud/LIDAR/1561.npz", "", "expected a file of points with the array data"),
    ],
)
def test_broken_files_are_refused(file: str, text: str, message: str, ddad: Path) -> None:
    (ddad / file).write_text(text)
    with pytest.raises(yg.InputError, match=message):
        write_files(ddad)


def test_points_that_are_objects_are_not_loaded(ddad: Path) -> None:
    np.savez(ddad / "000150" / "point_cloud" / "LIDAR" / "1561.npz", data=np.array([{}], object))
    with pytest.raises(yg.InputError, match=r"1561.npz: expected a file of points"):
        write_files(ddad)
