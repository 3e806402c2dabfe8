"""What nano and the random pair find, written in every format and read back: by hand, and by independent programs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from tests.readers import (
    coco_masks,
    datumaro_annotations,
    depth_metres,
    filled,
    index_levels,
    labelme_rings,
    points_of,
    yolo_rings,
)
from youtu_gguf.output import writers_of
from youtu_gguf.output.rle import coco_rle
from youtu_gguf.types import Result

READERS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
"""Marks tests with warnings of the readers."""

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"


@dataclass
class Asked:
    """What nano found, and the scene, which is open."""

    scene: yg.Scene
    boxes: yg.Boxes
    poses: yg.Poses
    found: yg.Instances
    labels: yg.LabelMap
    depth: yg.DepthMap


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with yg.load("nano", threads=1) as model, model.open(SCENE) as scene:
        yield Asked(
            scene,
            scene.detect(scores=True),
            scene.pose(),
            scene.instances(["star", "sign"]),
            scene.segment(["sky", "grass"], present="all"),
            scene.depth(focal_px=500),
        )


def written(scene: yg.Scene, value: Result, folder: Path) -> None:
    """Write a value in every format that takes its type; what a format refuses is written in another test."""
    folder.mkdir(parents=True)
    for writer in writers_of(type(value)):
        if writer.name not in ("margin.f32", "tum.png"):
            scene.save(value, folder / f"street.{writer.name}")
            assert (folder / f"street.{writer.name}").stat().st_size > 0


def check_masks(scene: yg.Scene, value: yg.Instances | yg.LabelMap, folder: Path) -> None:
    masks = [row.mask for row in value if row.mask.any()]
    assert masks
    written(scene, value, folder)
    assert np.array_equal(coco_masks(folder / "street.coco.json"), masks)
    joined = np.any(masks, axis=0)
    for rings in (labelme_rings(folder / "street.labelme.json"), yolo_rings(folder / "street.yolo.zip", scene.size)):
        read = filled(rings, scene.size)
        assert np.count_nonzero(read & joined) >= 0.999 * np.count_nonzero(read | joined)
    (folder / "cvat").mkdir()
    image = np.zeros_like(scene.rgb)
    scene.save(value, folder / "cvat" / "annotations.xml", "cvat.xml")
    text = (folder / "cvat" / "annotations.xml").read_text("utf-8").replace(f'name="{SCENE.name}"', 'name="street.png"')
    (folder / "cvat" / "annotations.xml").write_text(text, "utf-8")
    read_masks = datumaro_annotations(folder / "cvat", "cvat", image, "Mask")
    assert np.array_equal(np.stack([mask.image for mask in read_masks]).astype(np.bool_), masks)


def check_depth(scene: yg.Scene, depth: yg.DepthMap, folder: Path) -> None:
    written(scene, depth, folder)
    valid = depth.values > 0
    for name, level in (("depth.png", 1 / 256), ("ros.png", 1 / 1000), ("kitti.png", 1 / 256)):
        metres = depth_metres(folder / f"street.{name}")
        assert np.abs(metres - depth.values)[valid].max() <= level / 2 + 1e-5
    assert np.array_equal(points_of(folder / "street.ply")[:, 2], depth.values[valid])
    assert np.array_equal(cv2.imread(str(folder / "street.pfm"), cv2.IMREAD_UNCHANGED), depth.values)


@READERS
def test_masks_and_classes_are_read_back_by_other_programs(asked: Asked, tmp_path: Path) -> None:
    check_masks(asked.scene, asked.found, tmp_path / "found")
    check_masks(asked.scene, asked.labels, tmp_path / "labels")
    levels = index_levels(tmp_path / "labels" / "street.index.png")
    assert np.array_equal(levels, np.where(asked.labels.ids < 0, 255, asked.labels.ids))


@READERS
def test_distances_are_read_back_by_other_programs(asked: Asked, tmp_path: Path) -> None:
    check_depth(asked.scene, asked.depth, tmp_path / "depth")


def test_boxes_and_persons_have_a_file_in_every_format(asked: Asked, tmp_path: Path) -> None:
    written(asked.scene, asked.boxes, tmp_path / "boxes")
    written(asked.scene, asked.poses, tmp_path / "poses")


def test_what_nano_finds_is_what_the_files_of_data_sets_say(asked: Asked, tmp_path: Path) -> None:
    boxes, poses, found, labels, depth = asked.boxes, asked.poses, asked.found, asked.labels, asked.depth
    size = asked.scene.size
    for name, value in {"boxes": boxes, "poses": poses, "found": found, "labels": labels}.items():
        for ending in ("coco.json", "labelme.json", "yolo.zip", "csv"):
            asked.scene.save(value, tmp_path / f"{name}.{ending}")
    asked.scene.save(depth, tmp_path / "depth.ply")

    def coco(name: str) -> dict[str, list[dict[str, object]]]:
        form: dict[str, list[dict[str, object]]] = json.loads((tmp_path / f"{name}.coco.json").read_text("utf-8"))
        assert form["images"] == [{"id": 1, "file_name": "scene.png", "width": size.width, "height": size.height}]
        return form

    assert len(boxes) and len(poses) and len(found)
    names = {category["id"]: category["name"] for category in coco("boxes")["categories"]}
    assert [names[annotation["category_id"]] for annotation in coco("boxes")["annotations"]] == [*boxes.labels]
    assert [a["segmentation"] for a in coco("found")["annotations"]] == [coco_rle(mask) for mask in found.masks]
    assert [a["segmentation"] for a in coco("labels")["annotations"]] == [coco_rle(row.mask) for row in labels]
    assert all(len(a["keypoints"]) == 48 for a in coco("poses")["annotations"])  # type: ignore[arg-type]

    shapes = json.loads((tmp_path / "boxes.labelme.json").read_text("utf-8"))["shapes"]
    corners = np.array([shape["points"] for shape in shapes]).reshape(-1, 4)
    assert corners == pytest.approx(boxes.xyxy, abs=0.005)  # two digits

    with ZipFile(tmp_path / "boxes.yolo.zip") as archive:
        lines = archive.read("labels/scene.txt").decode().splitlines()
    shares = np.array([line.split()[1:] for line in lines], np.float64) * [*size, *size]
    middles, sizes = shares[:, :2], shares[:, 2:]
    assert np.column_stack([middles - sizes / 2, middles + sizes / 2]) == pytest.approx(boxes.xyxy, abs=0.01)

    rows = [*csv.DictReader(StringIO((tmp_path / "boxes.csv").read_text("utf-8-sig")))]
    assert [row["label"] for row in rows] == [*boxes.labels]
    header, points = (tmp_path / "depth.ply").read_bytes().split(b"end_header\n", 1)
    assert f"element vertex {np.count_nonzero(depth.values)}\n".encode() in header
    assert (
        np.frombuffer(points, np.dtype("<f4, <f4, <f4, u1, u1, u1"))["f2"].tolist()
        == depth.values[depth.values > 0].tolist()
    )


def test_the_command_line_names_the_image_and_the_phrase(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "youtu_gguf", "refer", SCENE, "the red circle", "-m", "nano", "--threads", "1"]
    subprocess.run([*command, "-o", tmp_path / "circle.coco.json"], capture_output=True, check=True, timeout=300)
    form = json.loads((tmp_path / "circle.coco.json").read_text("utf-8"))
    assert (form["images"][0]["file_name"], form["categories"][0]["name"]) == ("scene.png", "the red circle")


@READERS
def test_maps_of_the_random_pair_are_read_back_by_other_programs(
    tiny_pair: Pair, photographs: dict[str, Path], tmp_path: Path
) -> None:
    with yg.load(*tiny_pair, n_ctx=4096, threads=1) as model, model.open(photographs["cat"]) as scene:
        labels = scene.segment(["cat", "wall", "floor"], present="all", refine="none")
        written(scene, labels, tmp_path / "labels")
        depth = scene.depth(scale="nyuv2")
        relative = scene.depth(focal_px="unknown")
        with pytest.raises(yg.InputError, match="needs metres; got relative distances"):
            scene.save(relative, tmp_path / "street.depth.png")
        scene.save(depth, tmp_path / "street.ply", focal_px="assumed")
        scene.save(depth, tmp_path / "street.kitti.png", focal_px="assumed")
    masks = [row.mask for row in labels if row.mask.any()]
    assert np.array_equal(coco_masks(tmp_path / "labels" / "street.coco.json"), masks)
    assert np.array_equal(
        index_levels(tmp_path / "labels" / "street.index.png"), np.where(labels.ids < 0, 255, labels.ids)
    )
    assert np.array_equal(points_of(tmp_path / "street.ply")[:, 2], depth.values[depth.values > 0])
    assert np.abs(depth_metres(tmp_path / "street.kitti.png") - depth.values).max() <= 1 / 512 + 1e-5
    assert b"px (assumed)" in (tmp_path / "street.ply").read_bytes()[:300]
