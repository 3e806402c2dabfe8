"""Distances of all pixels: how they are asked for, and how far they are from the true ones.

Figures are means over images of those of each image, as depth estimators report them. A pixel counts where its true
distance is known and within a range; its predicted distance is clipped to that range, and where there is none it is
taken as the nearest. Source: cleinc/bts, `utils/eval_with_pngs.py`.

Predictions are stored as levels of 1 mm (up to 65.5 m) or 1/256 m. A distance is off by half a level at most, so only
pixels whose ratio to the truth is that close to a threshold may be counted differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64, Data, Figure, Prediction, Sample
from youtu_gguf.evaluate.data.depth_levels import DepthFile, read_distances
from youtu_gguf.evaluate.mean import Mean
from youtu_gguf.images.pixels import check_size
from youtu_gguf.output.depth_png import depth_levels
from youtu_gguf.types import F32, Bits, DepthMap, Size

DELTA = 1.25
"""Ratio of a predicted distance to the true one, or the reverse, up to which it counts as right (d1); its powers d2,
d3. Source: Eigen, Puhrsch, Fergus: Depth Map Prediction from a Single Image (arXiv 1406.2283), section 4.2."""

NYUV2_CROP = (slice(45, 471), slice(41, 601))
"""Rows and columns of NYUv2's images that are evaluated by convention.
Source: cleinc/bts, `utils/eval_with_pngs.py`."""

_FIGURES = (
    Figure("d1", "d1"),
    Figure("d2", "d2"),
    Figure("d3", "d3"),
    Figure("absrel", "abs. rel. error", is_share=False, lower_is_better=True),
    Figure("rmse", "RMSE (m)", is_share=False, lower_is_better=True),
)
_GRID = (48, 64)
"""Rows and columns of places where the baselines look up the truth of every image."""


@dataclass(frozen=True)
class Depth:
    """Distances of all pixels, in metres.

    The options are: `scale`, `focal_px` and `zoom` as those of `Scene.depth`; `near_m` and `far_m`, the range;
    `crop`, "nyuv2" or "none"; and `align`, "median" to multiply the distances of each image by what makes their median
    the true one, or "none".

    Args:
        per_metre: Levels of a metre in predictions that do not say so themselves.
    """

    per_metre: float

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Shares within thresholds; mean errors."""
        return _FIGURES

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:  # noqa: ARG002
        """Estimate the distances.

        Raises:
            InputError: They are relative, and not aligned with the truth.
        """
        depth = scene.depth(scale=options["scale"], focal_px=options["focal_px"], zoom=options["zoom"])
        _check_unit(depth.unit, options)
        return _prediction(depth)

    def perfect(self, sample: Sample) -> Prediction:
        """Return the truth's own file."""
        return Prediction({"unit": "m"}, _truth(sample).path)

    def measure(self, data: Data, options: Mapping[str, Any]) -> Mean:  # noqa: ARG002
        """Return means over images.

        Raises:
            InputError: The range is empty.
        """
        near, far = options["near_m"], options["far_m"]
        if near >= far:
            raise InputError(f"near_m must be below far_m; got {near:g} and {far:g}.")
        return Mean(partial(self._judge, options))

    def baselines(self, data: Data, options: Mapping[str, Any]) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the median of the truth everywhere, and at each place of the image."""
        seen = np.array([_looked_up(_truth(sample).read().values, options) for sample in data.samples])
        known = ~np.isnan(seen)
        if not known.any():
            raise InputError(f"expected distances from {options['near_m']} to {options['far_m']} m; there are none.")
        middle = float(np.median(seen[known]))
        somewhere = known.any(0)
        there = np.full(_GRID, middle, np.float32)
        there[somewhere] = np.nanmedian(seen[:, somewhere], 0)
        return {
            "median distance": partial(_resized, np.full(_GRID, middle, np.float32)),
            "median depth map": partial(_resized, there),
        }

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return what a folder has: a file for each sample, called by its id, with "/" or with "_" in its place.

        A .png file is 16-bit grey. A .npy file has an array of floats in metres, of the image's size.
        """
        if not path.is_dir():
            raise InputError(f"expected a folder of .png or .npy files; {path} is none.")
        files = _PredictionFiles({s.id: found for s in data.samples if (found := _predicted_file(path, s.id))})
        if not files:
            raise InputError(f"expected files such as {data.samples[0].id}.png in {path}; there are none.")
        return files

    def _judge(self, options: Mapping[str, Any], sample: Sample, said: Prediction | None) -> Mapping[str, float]:
        truth = _truth(sample).read().values
        if said is None:
            return depth_figures(np.zeros_like(truth), truth, options)
        where = f"the prediction for {sample.id}"
        got = read_distances(said.read_png(), where, self.per_metre)
        _check_unit(got.unit, options)
        if got.values.shape != truth.shape:
            (height, width), (rows, columns) = truth.shape, got.values.shape
            raise InputError(f"{where} must be {width}x{height}, as the truth; got {columns}x{rows}. Resize it.")
        return depth_figures(got.values, truth, options)


def depth_figures(predicted: F64, truth: F64, options: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of one image, NaN where no pixel counts.

    Args:
        predicted: (H, W) metres; 0 or NaN = none.
        truth: (H, W) metres; 0 = unknown.
        options: As those of `Depth`.
    """
    valid = _counts(truth, options)
    if not valid.any():
        return {figure.name: float("nan") for figure in _FIGURES}
    true, got = truth[valid], np.nan_to_num(predicted[valid], nan=0.0, posinf=np.inf)
    if options["align"] == "median" and (got > 0).any():
        got = got * (np.median(true) / np.median(got[got > 0]))
    got = np.clip(got, options["near_m"], options["far_m"])
    ratio, away = np.maximum(got, true) / np.minimum(got, true), np.abs(got - true)
    return {
        **{f"d{n}": float((ratio < DELTA**n).mean()) for n in (1, 2, 3)},
        "absrel": float((away / true).mean()),
        "rmse": float(np.sqrt((away**2).mean())),
    }


def _counts(truth: F64, options: Mapping[str, Any]) -> Bits:
    """Return (H, W) which pixels count."""
    valid = np.zeros(truth.shape, np.bool_)
    part = NYUV2_CROP if options["crop"] == "nyuv2" else ...
    np.logical_and(truth[part] >= options["near_m"], truth[part] <= options["far_m"], out=valid[part])
    return valid


def _truth(sample: Sample) -> DepthFile:
    if not isinstance(sample.truth, DepthFile):
        raise InputError(f"{sample.id}: expected a file of distances as the truth; got {type(sample.truth).__name__}.")
    return sample.truth


def _check_unit(unit: str, options: Mapping[str, Any]) -> None:
    if unit != "m" and options["align"] == "none":
        raise InputError(
            "expected distances in metres; got relative ones. Set scale to a data set's, set focal_px, or set align to "
            "median."
        )


def _prediction(depth: DepthMap) -> Prediction:
    return Prediction({"unit": depth.unit, "focal_px": depth.focal_px}, depth_levels(depth).to_png())


def _looked_up(truth: F64, options: Mapping[str, Any]) -> F32:
    """Return the distances at the places of the grid, NaN for those that do not count."""
    sides = zip(_GRID, truth.shape, strict=True)
    places = np.ix_(*(((np.arange(n) + 0.5) / n * side).astype(int) for n, side in sides))
    return np.where(_counts(truth, options)[places], truth[places], np.nan).astype(np.float32)


def _resized(grid: F32, sample: Sample) -> Prediction:
    """Return the grid's distances at the size of a sample's truth."""
    import cv2

    height, width = _truth(sample).read().values.shape
    values = np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return _prediction(DepthMap(values, "m"))


class _PredictionFiles(Mapping[str, Prediction]):
    """Predictions in files; those that are no PNG files are made one when they are asked for."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths

    def __getitem__(self, key: str) -> Prediction:
        path = self._paths[key]
        return Prediction({}, path) if path.suffix == ".png" else _from_array(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def _predicted_file(folder: Path, name: str) -> Path | None:
    names = (f"{stem}{suffix}" for stem in (name, name.replace("/", "_")) for suffix in (".png", ".npy"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _from_array(path: Path) -> Prediction:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as exc:
        raise InputError(f"{path}: expected an array as numpy.save writes it; {exc}.") from exc
    if values.ndim != len(_GRID) or values.dtype.kind != "f":
        raise InputError(f"{path}: expected floats (H, W) in metres; got {values.dtype} {values.shape}.")
    check_size(Size(values.shape[1], values.shape[0]), str(path))
    return _prediction(DepthMap(np.array(values, np.float32), "m"))
