"""What is written, as independent readers read it: exact for masks, classes, distances and points."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from tests.readers import depth_metres, filled, index_levels, labelme_rings, points_of, yolo_rings
from youtu_gguf.output import WRITERS, Source
from youtu_gguf.types import Bits, Size

SIZE = Size(80, 60)
RGB = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
SOURCE = Source(RGB, name="street.png")
DEPTH = yg.DepthMap(np.random.default_rng(1).uniform(0.2, 12, (60, 80)), "m", focal_px=70)


def random_mask(seed: int) -> Bits:
    """Return a mask of many parts and holes, in an image of any size."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(30, 120, 2)
    values = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), rng.uniform(2, 9))
    return np.asarray(values > np.quantile(values, rng.uniform(0.3, 0.9)), np.bool_)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_outlines_of_random_masks_give_their_pixels_back(tmp_path: Path) -> None:
    shares = []
    for seed in range(40):
        bits = random_mask(seed)
        size = Size(bits.shape[1], bits.shape[0])
        for name in ("labelme.json", "yolo.zip"):
            WRITERS[name](tmp_path / f"x.{name}", yg.Mask(bits))
        for rings in (labelme_rings(tmp_path / "x.labelme.json"), yolo_rings(tmp_path / "x.yolo.zip", size)):
            read = filled(rings, size)
            shares.append(np.count_nonzero(read & bits) / np.count_nonzero(read | bits))
    assert np.mean(shares) >= 0.999


def test_classes_and_objects_are_read_as_their_numbers(tmp_path: Path) -> None:
    ids = np.random.default_rng(2).integers(-1, 5, (60, 80))
    WRITERS["index.png"](tmp_path / "x.index.png", yg.LabelMap(ids, tuple("abcde")))
    assert np.array_equal(index_levels(tmp_path / "x.index.png"), np.where(ids < 0, 255, ids))


@pytest.mark.parametrize(
    ("name", "factor"), [("depth.png", 1000), ("ros.png", 1000), ("kitti.png", 256), ("tum.png", 5000)]
)
def test_distances_are_read_to_half_a_level(name: str, factor: int, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / f"x.{name}", DEPTH)
    off = np.abs(depth_metres(tmp_path / f"x.{name}") - DEPTH.values)
    assert off.max() <= 0.5 / factor + 1e-6  # float32 of up to 12 m is exact to a micrometre


def test_trimesh_reads_every_point(tmp_path: Path) -> None:
    WRITERS["ply"](tmp_path / "x.ply", DEPTH, SOURCE)
    points = points_of(tmp_path / "x.ply")
    assert np.array_equal(points[:, 2], DEPTH.values.ravel())
    u = points[:, 0] / points[:, 2] * 70 + 40
    assert np.abs(u - np.tile(np.arange(80) + 0.5, 60)).max() < 1e-4  # float32 of coordinates up to 80


def test_supervision_reads_masks_from_coco_and_boxes_from_yolo(tmp_path: Path) -> None:
    package = pytest.importorskip("supervision")
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(RGB).save(images / "street.png")
    masks = np.stack([random_mask(seed)[:30, :30] for seed in range(3)])
    masks = np.pad(masks, ((0, 0), (10, 20), (30, 20)))
    found = yg.Instances(masks, [[30, 10, 60, 40]] * 3, ("cup", "dog", "cup"))
    WRITERS["coco.json"](tmp_path / "x.coco.json", found, SOURCE)
    read = package.DetectionDataset.from_coco(str(images), str(tmp_path / "x.coco.json"), force_masks=True)
    ((_, _, detections),) = read
    assert np.array_equal(detections.mask, masks)
    assert [read.classes[i] for i in detections.class_id] == ["cup", "dog", "cup"]

    boxes = yg.Boxes([[1, 2, 30, 40], [8.5, 0, 80, 60]], ("cup", "dog"))
    WRITERS["yolo.zip"](tmp_path / "x.yolo.zip", boxes, SOURCE)
    with ZipFile(tmp_path / "x.yolo.zip") as archive:
        archive.extractall(tmp_path)
    labels, described = str(tmp_path / "labels"), str(tmp_path / "data.yaml")
    ((_, _, detections),) = package.DetectionDataset.from_yolo(str(images), labels, described)
    assert detections.xyxy == pytest.approx(boxes.xyxy, abs=1e-3)  # six digits of shares
