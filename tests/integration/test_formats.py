"""What nano finds in a drawn scene, written in every format of data sets and read back."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.output.rle import coco_rle

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"


def test_what_nano_finds_is_read_back_from_every_format(tmp_path: Path) -> None:
    with yg.load("nano", threads=1) as model, model.open(SCENE) as scene:
        boxes, poses = scene.detect(scores=True), scene.pose()
        found = scene.instances(["star", "sign"])
        labels = scene.segment(["sky", "grass"], present="all")
        depth = scene.depth(focal_px=500)
        for name, value in {"boxes": boxes, "poses": poses, "found": found, "labels": labels}.items():
            for ending in ("coco.json", "labelme.json", "yolo.zip", "csv"):
                scene.save(value, tmp_path / f"{name}.{ending}")
        scene.save(depth, tmp_path / "depth.ply")
        size = scene.size

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
