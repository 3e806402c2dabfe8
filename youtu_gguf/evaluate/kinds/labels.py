"""A class for every pixel, by intersection over union.

What is kept of an image are three numbers of pixels for each class: those that truth and answer both have, those that
the truth has, and those that the answer has where the truth counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.evaluate.base import F64, Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.numbering import I64, N_LEVELS, NONE, TrueLabels
from youtu_gguf.evaluate.data.pixels import read_levels
from youtu_gguf.output.png import grey_png
from youtu_gguf.tasks.typed import read_tiles
from youtu_gguf.types import U8, Size

_EVERYWHERE = "everywhere"
"""The key of an answer without pixels: the index of the class that all of them have."""

_MOST_COUNTED = 1 << 24
"""Pixels that OpenCV counts exactly: its counts are float32."""


@dataclass(frozen=True)
class Labels:
    """Semantic segmentation. An answer is an index PNG in the order of the benchmark's classes, 255 for none."""

    figures: tuple[Figure, ...] = (
        Figure("miou", "mIoU"),
        Figure("pixel_accuracy", "pixel accuracy"),
        Figure("class_accuracy", "mean class accuracy"),
    )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask for the classes that the sample names, by the settings "present", "refine", "zoom" and "tiles".

        A class in the answer that was not asked for becomes none.
        """
        names: Sequence[str] = sample.asked["classes"]
        how = {name: options[name] for name in ("present", "refine", "zoom")}
        labels = scene.segment(names, **how, tiles=read_tiles(options["tiles"]))
        indices = {_spelled(name): index for index, name in enumerate(names)}
        table = np.array([*(indices.get(_spelled(name), NONE) for name in labels.classes), NONE], np.uint8)
        form: dict[str, Any] = {"refined_by": labels.refined_by}
        if how["present"] == "model":
            form["classes"] = list(labels.classes)
        return Prediction(form, grey_png(table[labels.ids]))

    def perfect(self, sample: Sample) -> Prediction:
        """Return the true map; pixels that do not count have no class."""
        truth: TrueLabels = sample.truth
        levels = _levels(truth.file)
        _by_class(np.bincount(levels.ravel(), minlength=N_LEVELS), truth)
        return Prediction({}, grey_png(truth.numbering.to_table()[levels]))

    def measure(self, data: Data, options: Mapping[str, Any]) -> LabelMeasure:  # noqa: ARG002
        """Return an empty measure."""
        return LabelMeasure(data.classes)

    def baselines(
        self,
        data: Data,
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the answer that every pixel is of the class with most pixels in the data."""
        measure = LabelMeasure(data.classes)
        for sample in data.samples:
            measure.add(sample, None)
        common = int(measure.totals()[1].argmax())
        return {f"{data.classes[common]} everywhere": lambda _: Prediction({_EVERYWHERE: common})}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return the index PNG files in the folder `path` that are named as samples, or as their images."""
        if not path.is_dir():
            raise yg.InputError(f"expected a folder of index PNG files named as the images; {path} is none.")
        found = {}
        for sample in data.samples:
            names = dict.fromkeys((f"{sample.id}.png", f"{sample.image.stem}.png"))
            file = next((file for name in names if (file := path / name).is_file()), None)
            if file is not None:
                found[sample.id] = Prediction({}, file)
        if not found:
            example = f"{data.samples[0].id}.png" if data.samples else "IMAGE.png"
            raise yg.InputError(f"expected index PNG files named as the images, as {example}; {path} has none.")
        return found


class LabelMeasure(Measure):
    """Pixels of each image and class.

    Args:
        classes: Names of the classes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self._counts: list[I64] = []
        self._stacked: F64 | None = None

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Count the pixels of an answer by class. One that is of one class everywhere needs no pixels.

        Raises:
            InputError: A map cannot be read or has a level without a meaning, or they differ in size.
        """
        self.add_counts(sample, self._counted(sample, said))

    def add_counts(self, sample: Sample, counts: I64) -> None:
        """Add an image by its (3, K) pixels of each class: in truth and answer, in the truth, in the answer."""
        number = self.image_number(sample)
        self._stacked = None
        if number == len(self._counts):
            self._counts.append(counts)
        else:
            self._counts[number] = self._counts[number] + counts

    def _counted(self, sample: Sample, said: Prediction | None) -> I64:
        """Return (3, K) pixels of each class: in both, in the truth, in the answer."""
        truth: TrueLabels = sample.truth
        if said is not None and (said.png is not None or _EVERYWHERE not in said.form):
            return self._compared(truth, said)
        if truth.pixels is None:
            truth.pixels = _by_class(np.bincount(_levels(truth.file).ravel(), minlength=N_LEVELS), truth)
        both, answered = np.zeros((2, len(self.classes)), np.int64)
        if said is not None:
            index = said.form[_EVERYWHERE]
            if type(index) is not int or not 0 <= index < len(self.classes):
                raise yg.InputError(f"the answer: expected {_EVERYWHERE!r} to be 0 to {len(both) - 1}; got {index!r}.")
            both[index], answered[index] = truth.pixels[index], truth.pixels.sum()
        return np.stack([both, truth.pixels, answered])

    def _compared(self, truth: TrueLabels, said: Prediction) -> I64:
        """Return the same of an answer with pixels, and note those of the truth."""
        indices = np.arange(len(self.classes))
        true = _levels(truth.file)
        name = str(said.png) if isinstance(said.png, Path) else "the answer"
        answered = _levels(said.png or said.read_png(), Size(true.shape[1], true.shape[0]), name)
        pairs = count_pairs(true, answered)
        truth.pixels = _by_class(pairs.sum(1), truth)
        expected = f"{name}: expected 0 to {indices.size - 1}, or {NONE} for none"
        _check(pairs.sum(0), np.append(indices, NONE), expected)
        by_class = pairs[list(truth.numbering.of_classes)]
        return np.stack([by_class[indices, indices], truth.pixels, by_class.sum(0)[: indices.size]])

    def totals(self, weights: F64 | None = None) -> F64:
        """Return (3, K) pixels of each class: in both, in the truth, in the answer.

        Args:
            weights: (n_images,) how often each image counts; None for once.
        """
        if self._stacked is None:
            counts = np.array(self._counts, np.float64)  # exact: less than 2 ** 53 pixels
            self._stacked = counts.reshape(len(self._counts), -1)
        times = np.ones(len(self._counts)) if weights is None else weights
        return (times @ self._stacked).reshape(3, len(self.classes))

    def class_ious(self, weights: F64 | None = None) -> F64:
        """Return (K,) intersection over union of each class; NaN for one that neither truth nor answers have.

        Args:
            weights: (n_images,) how often each image counts; None for once.
        """
        both, true, answered = self.totals(weights)
        return _divided(both, true + answered - both)

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the mean IoU, the share of right pixels, and the mean over classes of the share of right pixels.

        A class that the truth does not have counts for the mean IoU where answers have it, with 0.
        """
        both, true, _ = self.totals(weights)
        return {
            "miou": _mean(self.class_ious(weights)),
            "pixel_accuracy": float(_divided(both.sum(), true.sum())),
            "class_accuracy": _mean(_divided(both, true)),
        }


def count_pairs(true: U8, answered: U8) -> I64:
    """Return (256, 256) how many pixels have each level in one map and each in the other, of maps of one size."""
    import cv2

    height, width = true.shape
    n_rows = max(1, (_MOST_COUNTED - 1) // width)
    pairs = np.zeros((N_LEVELS, N_LEVELS), np.int64)
    for top in range(0, height, n_rows):
        strips = [true[top : top + n_rows], answered[top : top + n_rows]]
        counted = cv2.calcHist(strips, [0, 1], None, [N_LEVELS, N_LEVELS], [0, N_LEVELS, 0, N_LEVELS])
        pairs += counted.astype(np.int64)
    return pairs


def _levels(source: Path | bytes, size: Size | None = None, name: str = "") -> U8:
    levels = read_levels(source, size=size, name=name)
    if levels.dtype != np.uint8:
        raise yg.InputError(f"{name or str(source)}: expected a label map of 8 bits; got one of 16.")
    return levels.astype(np.uint8, copy=False)


def _by_class(pixels: I64, truth: TrueLabels) -> I64:
    """Return (K,) pixels of each class, of (256,) those of each level of the truth."""
    known = [*truth.numbering.of_classes, *truth.numbering.ignored]
    _check(pixels, np.array(known), f"{truth.file}: expected a level that stands for a class")
    return pixels[list(truth.numbering.of_classes)]


def _check(pixels: I64, known: I64, expected: str) -> None:
    """Refuse levels that pixels have and that are not `known`."""
    strange = np.setdiff1d(np.flatnonzero(pixels), known)
    if strange.size:
        raise yg.InputError(f"{expected}; got {strange[0]} in {pixels[strange[0]]:,} pixels.")


def _spelled(name: str) -> str:
    return " ".join(name.split()).casefold()


def _divided(part: F64, whole: F64) -> F64:
    shares: F64 = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return shares


def _mean(values: F64) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else float("nan")
