"""Depth: NYUv2 and DDAD."""

from __future__ import annotations

import math
from typing import get_args

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Benchmark, Known, Setting
from youtu_gguf.evaluate.data.depth_sets import DDAD_PER_METRE, NYUV2_PER_METRE, read_ddad, read_nyuv2
from youtu_gguf.evaluate.kinds.depth import Depth
from youtu_gguf.tasks.typed import read_depth_zoom, read_focal
from youtu_gguf.types import Scale


def _read_scale(text: str) -> str:
    return _one_of("scale", get_args(Scale), text)


def _read_crop(text: str) -> str:
    return _one_of("crop", ("nyuv2", "none"), text)


def _read_align(text: str) -> str:
    return _one_of("align", ("none", "median"), text)


def _one_of(name: str, words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise InputError(f"{name} must be one of {', '.join(words)}; got {text[:40]!r}.")
    return text


def _read_metres(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"near_m and far_m must be metres above 0; got {text[:40]!r}.")
    return number


def _scale(name: str) -> Setting:
    note = "The range that the question names, before the image; another is asked for in the same way."
    return Setting("scale", name, name, "as published", note, _read_scale)


def _range(near_m: float, far_m: float, known: Known) -> tuple[Setting, ...]:
    note = "true distance in metres that counts; predicted distances are clipped to it."
    return (
        Setting("near_m", near_m, near_m, known, f"Nearest {note}", _read_metres),
        Setting("far_m", far_m, far_m, known, f"Farthest {note}", _read_metres),
    )


def _crop(name: str) -> Setting:
    note = "nyuv2: rows 45 to 470 and columns 41 to 600 count, as is usual for NYUv2; none: all pixels do."
    return Setting("crop", name, name, "our guess", note, _read_crop)


_FOCAL_NOTE = (
    "Focal length in pixels, for the scale open. None is what the file says; without any, distances are relative."
)
_ALIGN_NOTE = "median multiplies each image's distances so that their median is the true one. The report mentions none."
_MEAN_NOTE = "Figures are means of those of each image, as is usual; a mean over all pixels differs a little."
_SHARED = (
    Setting("focal_px", None, None, "our guess", _FOCAL_NOTE, read_focal),
    Setting("align", "none", "none", "our guess", _ALIGN_NOTE, _read_align),
    Setting("mean", "over images", "over images", "our guess", _MEAN_NOTE),
)

_NYUV2_ZOOM = "3 times as large takes 2,700 image tokens; where the model is shown fewer, as large as fits."
_DDAD_ZOOM = "An image has 1936x1216 pixels, more than 2,048 image tokens show, and is shrunk a little."
_DDAD_CAMERAS = "val: the one that looks ahead; val-all: all of them. Which ones the report means is unknown."
_CAMERAS = "those of the split"

NYUV2 = Benchmark(
    "nyuv2",
    "NYUv2 depth",
    """DATA/official_splits/test/SCENE/rgb_NNNNN.jpg and sync_depth_NNNNN.png (16 bit, millimetres), 654 of each. Also
DATA/test or DATA itself, .png images, and names as depth_NNNNN.png; where nyudepthv2_test_files_with_gt.txt of
github.com/cleinc/bts lies beside the scenes, what it lists. From nyu_depth_v2_labeled.mat and splits.mat
(cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html) these files are made by scripts/nyuv2_files.py of this project's
source, or by utils/extract_official_train_test_set_from_mat.py of github.com/cleinc/bts.""",
    ("test",),
    (
        _scale("nyuv2"),
        Setting("zoom", "auto:3", 1.0, "as published", _NYUV2_ZOOM, read_depth_zoom),
        *_range(0.001, 10.0, "our guess"),
        _crop("nyuv2"),
        *_SHARED,
    ),
    Depth(NYUV2_PER_METRE),
    read_nyuv2,
    {"test": {"d1": 0.904}},
)

DDAD = Benchmark(
    "ddad",
    "DDAD depth",
    """DATA/SCENE/rgb/CAMERA_NN/NAME.png, as DDAD has them (github.com/TRI-ML/DDAD), and
DATA/SCENE/depth/CAMERA_NN/NAME.png: 16 bit, 256 levels a metre, 0 where the lidar saw nothing. DDAD has points instead,
from which scripts/ddad_files.py of this project's source makes these files, and DATA/val.txt. That lists an image and
its distances in each line; without it every scene in DATA is taken, which should be 000150 to 000199 then.""",
    ("val", "val-all"),
    (
        _scale("ddad"),
        Setting("zoom", 1.0, 1.0, "our guess", _DDAD_ZOOM, read_depth_zoom),
        *_range(0.05, 120.0, "as published"),
        _crop("none"),
        Setting("cameras", _CAMERAS, _CAMERAS, "our guess", _DDAD_CAMERAS),
        *_SHARED,
    ),
    Depth(DDAD_PER_METRE),
    read_ddad,
    {"val": {"d1": 0.876}},
)

DEPTH: tuple[Benchmark, ...] = (NYUV2, DDAD)
