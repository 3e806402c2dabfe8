#!/usr/bin/env python3
"""Make files of distances for DDAD's validation images, from the points that its lidar saw.

    python scripts/ddad_files.py DATA [--cameras CAMERA_01 CAMERA_05 ...]

DATA is the folder with ddad.json. Beside SCENE/rgb/CAMERA_NN/NAME.png it writes SCENE/depth/CAMERA_NN/NAME.png (16 bit,
256 levels a metre, 0 = no point), and val.txt, which lists both, as `youtu-gguf eval ddad DATA` reads them.

A point is moved by the lidar's pose and back by the camera's, divided by its distance, and drawn into the pixel that it
falls into; of several points the last one is kept. Source: TRI-ML/dgp, `dgp/utils/camera.py`, `generate_depth_map`.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.data.depth_sets import DDAD_PER_METRE, FRONT
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json
from youtu_gguf.images.load import load
from youtu_gguf.output.png import grey_png

VALIDATION = "1"  # of the keys of scene_splits; 0 are the training scenes
TOP = 65535  # of 16 bits

Floats = npt.NDArray[np.float64]


def write_files(data: Path, cameras: Sequence[str] = (FRONT,)) -> int:
    """Write the distances of the validation images of `cameras`, and the list, and return how many there are.

    Raises:
        InputError: A file has not what it should.
    """
    root = data_folder(data)
    path = root / "ddad.json"
    scenes = entry(entry(read_json(path), "scene_splits", dict, str(path)), VALIDATION, dict, f"{path}, scene_splits")
    lines = []
    for name in entry(scenes, "filenames", list, f"{path}, scene_splits"):
        scene = inside(root, name, str(path))
        lines += [" ".join(path.relative_to(root).as_posix() for path in pair) for pair in _write_scene(scene, cameras)]
    (root / "val.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def _write_scene(path: Path, cameras: Sequence[str]) -> Iterator[tuple[Path, Path]]:
    """Write the distances of a scene; yield the file of each image, and that of its distances."""
    scene = read_json(path)
    where, folder = str(path), path.parent
    by_key = {entry(datum, "key", str, where): datum for datum in entry(scene, "data", list, where)}
    for sample in entry(scene, "samples", list, where):
        calibration = inside(folder, f"calibration/{entry(sample, 'calibration_key', str, where)}.json", where)
        data = [by_key[key] for key in entry(sample, "datum_keys", list, where) if key in by_key]
        named = {entry(entry(d, "id", dict, where), "name", str, where): entry(d, "datum", dict, where) for d in data}
        cloud = entry(named.get("LIDAR"), "point_cloud", dict, f"{where}, LIDAR")
        points = _points(inside(folder, entry(cloud, "filename", str, where), where))
        world = _moved(points, _pose(cloud, where))
        for camera in cameras:
            image = entry(named.get(camera), "image", dict, f"{where}, {camera}")
            name = entry(image, "filename", str, where)
            file = inside(folder, name, where)
            height, width = load(file).shape[:2]
            seen = _moved(world, _inverse(_pose(image, where)))
            metres = depth_of(seen, _intrinsics(calibration, camera), width, height)
            target = inside(folder, name.replace("rgb/", "depth/", 1), where).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            levels = np.clip(np.rint(metres * DDAD_PER_METRE), 0, TOP).astype(np.uint16)
            target.write_bytes(grey_png(levels))
            yield file, target


def depth_of(points: Floats, intrinsics: Floats, width: int, height: int) -> Floats:
    """Return (height, width) distances of the points that fall into each pixel, 0 where none does.

    Args:
        points: (N, 3) in the camera's frame: x to the right, y down, z forward, in metres.
        intrinsics: (3, 3) the camera's matrix.
        width: Of the image.
        height: Of the image.
    """
    ahead = points[points[:, 2] > 0]
    places = ahead @ intrinsics.T
    u, v = (places[:, :2] / places[:, 2:]).T
    within = (u > -1) & (u < width) & (v > -1) & (v < height)  # rounded towards 0, as the source does
    depth = np.zeros((height, width))
    depth[v[within].astype(int), u[within].astype(int)] = ahead[within, 2]
    return depth


def _points(path: Path) -> Floats:
    try:
        with np.load(path, allow_pickle=False) as file:
            data = file["data"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as exc:
        raise InputError(f"{path}: expected a file of points with the array data; {exc}.") from exc
    if data.ndim != len(("points", "fields")) or data.shape[1] < len("xyz") or data.dtype.kind != "f":
        raise InputError(f"{path}: expected points (N, 3 or more); got {data.dtype} {data.shape}.")
    points: Floats = data[:, :3].astype(np.float64)
    return points


def _moved(points: Floats, pose: Floats) -> Floats:
    return points @ pose[:3, :3].T + pose[:3, 3]


def _inverse(pose: Floats) -> Floats:
    """Return what moves points back."""
    inverse: Floats = np.asarray(np.linalg.inv(pose), np.float64)
    return inverse


def _pose(datum: Mapping[str, Any], where: str) -> Floats:
    """Return (4, 4), what moves points from the sensor's frame into the world."""
    pose = entry(dict(datum), "pose", dict, where)
    turn, shift = entry(pose, "rotation", dict, where), entry(pose, "translation", dict, where)
    w, x, y, z = (entry(turn, key, float, where) for key in ("qw", "qx", "qy", "qz"))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    ) / (w * w + x * x + y * y + z * z)
    matrix[:3, 3] = [entry(shift, key, float, where) for key in "xyz"]
    return matrix


def _intrinsics(path: Path, camera: str) -> Floats:
    where = str(path)
    calibration = read_json(path)
    names, matrices = entry(calibration, "names", list, where), entry(calibration, "intrinsics", list, where)
    if camera not in names or len(names) != len(matrices):
        raise InputError(f"{where}: expected the intrinsics of {camera}; it has {', '.join(map(str, names))[:80]}.")
    fields = matrices[names.index(camera)]
    fx, fy, cx, cy = (entry(fields, key, float, f"{where}, {camera}") for key in ("fx", "fy", "cx", "cy"))
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ddad.json")
    parser.add_argument("--cameras", nargs="+", default=[FRONT], help=f"[default: {FRONT}, which looks ahead]")
    args = parser.parse_args()
    print(f"{write_files(args.data, args.cameras)} images")


if __name__ == "__main__":
    main()
