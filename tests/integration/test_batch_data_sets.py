"""Data sets that the command `batch` makes of a folder, as other programs read them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"  # pycocotools' own
)

TASKS = ("instances --crop-size 224", "pose", "describe", "segment sky grass --present all")
NAMES = ("0.png", "1.png", "deep/0.png")
FORMATS = "coco,yolo,labelme,panoptic,csv,npz"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `here/photos` and what `batch` made of it in `out`."""
    root = tmp_path_factory.mktemp("sets")
    for n, name in enumerate(NAMES):
        path = root / "here/photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(TEST_SEEDS + n).rgb).save(path)
    tasks = [word for task in TASKS for word in ("-t", task)]
    how = ["-o", "../out", "-m", "nano", "--threads", "1", "--format", FORMATS, "-q"]
    command = [sys.executable, "-m", "youtu_gguf", "batch", "photos", *tasks, *how]
    ended = subprocess.run(command, cwd=root / "here", capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Wrote ../out/coco/1-instances.json: 3 images" in ended.stdout
    (root / "out/yolo/1-instances/images").symlink_to(root / "here", target_is_directory=True)
    return root


@pytest.fixture(scope="module")
def masks(root: Path) -> dict[str, Any]:
    """The masks of each image, as its arrays have them."""
    found = {}
    for line in map(json.loads, (root / "out/results.jsonl").read_text("utf-8").splitlines()):
        with np.load(root / "out" / line["results"][0]["files"][0]) as arrays:
            found[line["image"]] = arrays["masks"]
    assert sum(map(len, found.values())) >= len(NAMES)
    return found


def test_pycocotools_has_each_mask_and_joint(root: Path, masks: dict[str, Any]) -> None:
    from pycocotools.coco import COCO

    data = COCO(str(root / "out/coco/1-instances.json"))
    for image in data.loadImgs(data.getImgIds()):
        found = data.loadAnns(data.getAnnIds(image["id"]))
        read = np.array([data.annToMask(told) for told in found], bool).reshape(masks[image["file_name"]].shape)
        assert np.array_equal(read, masks[image["file_name"]])
        assert [told["area"] for told in found] == read.sum(axis=(1, 2)).tolist()
    persons = COCO(str(root / "out/coco/2-pose.json"))
    assert len(persons.getImgIds()) == len(NAMES)
    assert len(persons.loadCats(1)[0]["keypoints"]) == 16


def test_datumaro_and_supervision_read_the_coco_file(root: Path, masks: dict[str, Any]) -> None:
    datumaro, supervision = pytest.importorskip("datumaro"), pytest.importorskip("supervision")
    (root / "coco/annotations").mkdir(parents=True)
    (root / "coco/images").symlink_to(root / "here", target_is_directory=True)
    file = root / "coco/annotations/instances_all.json"
    file.write_bytes((root / "out/coco/1-instances.json").read_bytes())
    data = datumaro.Dataset.import_from(str(root / "coco"), "coco_instances")
    read = {
        f"{item.id}.png": np.array([told.image for told in item.annotations if hasattr(told, "image")], bool)
        for item in data
    }
    assert {name: sum(each.sum() for each in found) for name, found in read.items()} == {
        name: found.sum() for name, found in masks.items()
    }
    held = supervision.DetectionDataset.from_coco(str(root / "here"), str(file), force_masks=True)
    assert len(held) == len(NAMES)
    for path, _, detections in held:
        name = Path(path).relative_to(root / "here").as_posix()
        assert np.array_equal(detections.mask.reshape(masks[name].shape), masks[name])


def test_the_panoptic_numbers_are_the_label_maps(root: Path) -> None:
    folder = root / "out/panoptic/4-segment/annotations"
    told = json.loads((folder / "panoptic_default.json").read_bytes())
    names = {category["id"]: category["name"] for category in told["categories"]}
    lines = {line["image"]: line for line in map(json.loads, (root / "out/results.jsonl").read_text().splitlines())}
    for image, annotation in zip(told["images"], told["annotations"], strict=True):
        assert annotation["image_id"] == image["id"]
        with Image.open(folder / "panoptic_default" / annotation["file_name"]) as png:
            numbers = np.array(png.convert("RGB"), np.int64) @ (1, 256, 65536)
        with np.load(root / "out" / lines[image["file_name"]]["results"][3]["files"][0]) as arrays:
            for segment in annotation["segments_info"]:
                is_class = arrays["classes"][arrays["ids"]] == names[segment["category_id"]]
                assert np.array_equal(numbers == segment["id"], is_class)
                assert segment["area"] == is_class.sum() > 0


def test_the_images_that_yolo_lists_are_there_and_their_outlines_fill_the_masks(
    root: Path, masks: dict[str, Any]
) -> None:
    from pycocotools.mask import decode, frPyObjects

    yolo = root / "out/yolo/1-instances"
    shared = []
    for listed in (yolo / "train.txt").read_text().splitlines():
        with Image.open(yolo / listed) as image:
            size = np.array(image.size)
        labels = (yolo / listed.replace("/images/", "/labels/")).with_suffix(".txt")
        for text, mask in zip(labels.read_text().splitlines(), masks[listed.removeprefix("./images/")], strict=True):
            ring = np.array(text.split()[1:], float).reshape(-1, 2) * size
            filled = decode(frPyObjects([ring.ravel().tolist()], *mask.shape))[..., 0].astype(bool)
            shared.append(np.count_nonzero(filled & mask) / np.count_nonzero(filled | mask))
    assert np.mean(shared) >= 0.999


def test_supervision_reads_the_yolo_labels(root: Path, masks: dict[str, Any]) -> None:
    supervision = pytest.importorskip("supervision")
    yolo = root / "out/yolo/1-instances"
    images, labels = (str(yolo / kind / "photos") for kind in ("images", "labels"))
    held = supervision.DetectionDataset.from_yolo(images, labels, str(yolo / "data.yaml"), force_masks=True)
    assert {Path(path).name: len(detections) for path, _, detections in held} == {
        name: len(masks[f"photos/{name}"]) for name in NAMES[:2]
    }
