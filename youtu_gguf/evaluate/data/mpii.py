"""The validation split of MPII Human Pose, as microsoft/human-pose-estimation.pytorch (and HRNet after it) lay it out.

MATLAB counts pixels from 1. Here they count from 0, as in that repository's `lib/dataset/mpii.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64, Data, Sample
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json
from youtu_gguf.evaluate.data.matlab import read_mat
from youtu_gguf.facts import N_JOINTS
from youtu_gguf.types import Bits

_APART_PX = 2.0
"""The two files belong together where their joints are no farther apart, by the median. Ours: they are rounded."""


@dataclass(frozen=True)
class Place:
    """Where a person roughly is, as the data set tells: a centre in pixels, and the height as a multiple of 200 px.

    `row` is the person's number in the annotations.
    """

    x: float
    y: float
    scale: float
    row: int


@dataclass(frozen=True, eq=False)
class AnnotatedPerson:
    """A person's joints (16, 2) in pixels, which of them are annotated (16,), and the diagonal of the head's box."""

    joints: F64
    annotated: Bits
    head_px: float


def read_mpii(folder: Path, split: str) -> Data:  # noqa: ARG001 - there is one
    """Read the persons of the validation split, gathered by image: `asked["places"]` and, in the same order, the truth.

    Raises:
        InputError: A file is missing or broken, or the two of them speak of different persons.
    """
    root = data_folder(folder)
    path = root / "annot" / "valid.json"
    records = read_json(path)
    if not isinstance(records, list) or not records:
        raise InputError(f"{path}: expected a list of persons; got {type(records).__name__}.")
    n = len(records)
    arrays = read_mat(
        root / "annot" / "gt_valid.mat",
        {"jnt_missing": (N_JOINTS, n), "pos_gt_src": (N_JOINTS, 2, n), "headboxes_src": (2, 2, n)},
    )
    joints = arrays["pos_gt_src"].transpose(2, 0, 1) - 1
    annotated = arrays["jnt_missing"].T == 0
    corners = arrays["headboxes_src"]
    heads = np.linalg.norm(corners[1] - corners[0], axis=0)
    _check_together(path, records, joints, annotated)
    images: dict[str, list[Place]] = {}
    for row, record in enumerate(records):
        where = f"{path}, [{row}]"
        images.setdefault(entry(record, "image", str, where), []).append(_place(record, row, where))
    samples = []
    for name, places in images.items():
        image = inside(root / "images", name, f"{path}, [{places[0].row}]")
        if not image.is_file():
            raise InputError(f"{path}, [{places[0].row}]: expected the image {image}; there is no such file.")
        persons = tuple(AnnotatedPerson(joints[p.row], annotated[p.row], float(heads[p.row])) for p in places)
        samples.append(Sample(name, image, {"places": tuple(places)}, persons))
    return Data(samples, root)


def _place(record: Mapping[str, Any], row: int, where: str) -> Place:
    x, y = _numbers(record, "center", (2,), where) - 1
    scale = entry(record, "scale", float, where)
    if not 0 < scale < np.inf:
        raise InputError(f"{where}: expected a scale above 0; got {scale}.")
    return Place(float(x), float(y), scale, row)


def _check_together(path: Path, records: list[Any], joints: F64, annotated: Bits) -> None:
    """Refuse annotations in another order, or of other persons, than those of the other file."""
    same = np.array([_numbers(r, "joints", (N_JOINTS, 2), f"{path}, [{n}]") - 1 for n, r in enumerate(records)])
    apart = np.linalg.norm(same - joints, axis=2)[annotated]
    if apart.size and not np.median(apart) <= _APART_PX:
        raise InputError(
            f"expected the same persons in {path} and gt_valid.mat, in the same order; their joints are "
            f"{np.median(apart):.0f} px apart. Take both from one conversion of the data set."
        )


def _numbers(record: Mapping[str, Any], key: str, shape: tuple[int, ...], where: str) -> F64:
    value = entry(record, key, list, where)
    try:
        numbers = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.zeros(0)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        raise InputError(f"{where}: expected {key!r} to be numbers {shape}; got {str(value)[:40]}.")
    return numbers
