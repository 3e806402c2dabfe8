"""Files as independent programs read them: pycocotools, datumaro, supervision, trimesh, OpenCV and Pillow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from youtu_gguf.types import F32, U8, Bits, Size


def coco_masks(path: Path) -> list[Bits]:
    """Return the masks of a COCO file as pycocotools decodes them, in the order of the annotations."""
    coco = pytest.importorskip("pycocotools.coco").COCO(str(path))
    return [coco.annToMask(annotation).astype(np.bool_) for annotation in coco.loadAnns(sorted(coco.anns))]


def filled(rings: Sequence[npt.NDArray[Any]], size: Size) -> Bits:
    """Return the pixels that pycocotools finds inside of any of the outlines (k, 2)."""
    masks = pytest.importorskip("pycocotools.mask")
    found = masks.frPyObjects([ring.ravel().tolist() for ring in rings], size.height, size.width)
    return np.asarray(masks.decode(masks.merge(found)), np.bool_)


def labelme_rings(path: Path) -> list[npt.NDArray[Any]]:
    """Return the polygons of a LabelMe file."""
    shapes = json.loads(path.read_text("utf-8"))["shapes"]
    return [np.array(shape["points"]) for shape in shapes if shape["shape_type"] == "polygon"]


def yolo_rings(path: Path, size: Size) -> list[npt.NDArray[Any]]:
    """Return the outlines of the only image in a data set for YOLO, in pixels."""
    with ZipFile(path) as archive:
        (labels,) = (name for name in archive.namelist() if name.endswith(".txt"))
        lines = archive.read(labels).decode().splitlines()
    return [np.array(line.split()[1:], np.float64).reshape(-1, 2) * size for line in lines]


def datumaro_annotations(folder: Path, form: str, image: U8, kind: str) -> Iterator[Any]:
    """Yield the annotations of a kind, such as "Mask", that datumaro finds in a folder in the order of the file.

    The image, "street.png", is written into the folder's `images`, where datumaro looks for it.
    """
    dataset = pytest.importorskip("datumaro.components.dataset").Dataset
    (folder / "images").mkdir(exist_ok=True)
    Image.fromarray(image).save(folder / "images" / "street.png")
    (item,) = dataset.import_from(str(folder), form)
    ordered = sorted(item.annotations, key=lambda annotation: annotation.id)  # COCO's are read from the last on
    yield from (annotation for annotation in ordered if type(annotation).__name__ == kind)


def index_levels(path: Path) -> npt.NDArray[Any]:
    """Return the levels of an index PNG as Pillow reads them."""
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.asarray(image)


def depth_metres(path: Path) -> npt.NDArray[np.float64]:
    """Return the metres of a depth image as OpenCV reads its levels, by the factor of the file beside it."""
    levels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert levels is not None and levels.dtype == np.uint16
    beside = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert levels.shape == (beside["height"], beside["width"])
    metres: npt.NDArray[np.float64] = levels / beside["factor"]
    return metres


def points_of(path: Path) -> F32:
    """Return the points (n, 3) of a PLY file as trimesh reads them."""
    return np.asarray(pytest.importorskip("trimesh").load(path).vertices, np.float32)
