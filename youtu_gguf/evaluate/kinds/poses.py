"""Poses of persons: how they are asked for, and the share of joints that are right.

A joint is right within 0.5 times the head's size, which is 0.6 times the diagonal of the head's box: PCKh@0.5. The mean
is over all joints that are annotated, without pelvis and thorax; those of left and right joints are averaged. Source:
microsoft/human-pose-estimation.pytorch, `lib/dataset/mpii.py`, whose figure "Mean@0.1" is one at 0.11, however; here it
is at 0.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import F64, Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.files import entry, read_json_lines
from youtu_gguf.evaluate.data.matlab import read_mat
from youtu_gguf.evaluate.data.mpii import AnnotatedPerson, Place
from youtu_gguf.facts import MPII_JOINTS, N_JOINTS
from youtu_gguf.types import F32, Poses

HEAD_SHARE = 0.6
"""Of the diagonal of the head's box. Source: as above, `SC_BIAS`."""

THRESHOLDS = (0.5, 0.1)

PERSON_PX = 200.0
"""A person's height at scale 1. Source: MPII Human Pose, description of the annotation `scale`."""

LOWER = 15.0
"""Pixels at scale 1 by which a crop lies lower than the person's centre. Source: as above."""

LEFT_OUT = ("pelvis", "thorax")

_FAR_PX = 1e9  # how far away a missing joint is

_GROUPS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_COUNTED = np.array([name not in LEFT_OUT for name in MPII_JOINTS])
_OF_GROUP = {
    group: [n for n, name in enumerate(MPII_JOINTS) if name in (f"left_{group}", f"right_{group}", f"{group}_top")]
    for group in _GROUPS
}


@dataclass(frozen=True)
class PosesOfPersons:
    """Joints of persons.

    The options are: `view`, "image" to ask about whole images, or "person" to ask about a crop around each person, at
    the place that the data set tells; `padding`, the side of such a crop in heights of the person; and `zoom` as that
    of `Scene.pose`. An answer about a whole image has any number of persons. The measure gives each of them to the
    annotated one where most of its joints are right, once. An answer about crops has one or none for each annotated
    person, in order.
    """

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The mean, one for each kind of joints, and the mean at a narrower threshold."""
        return (
            Figure("pckh", "PCKh@0.5"),
            *(Figure(group, group) for group in _GROUPS),
            Figure("pckh01", "PCKh@0.1"),
        )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask for all persons of the image, or of each crop."""
        if options["view"] == "image":
            found = scene.pose(zoom=options["zoom"])
            return _prediction([_joints_of(found, n) for n in range(len(found))], by_place=False)
        return _prediction([_in_crop(scene, place, options) for place in _places(sample)], by_place=True)

    def perfect(self, sample: Sample) -> Prediction:
        """Return the annotated joints."""
        persons = [np.where(person.annotated[:, None], person.joints, np.nan) for person in _truth(sample)]
        return _prediction(persons, by_place=False)

    def measure(self, data: Data, options: Mapping[str, Any]) -> Pckh:  # noqa: ARG002
        """Return shares of right joints."""
        return Pckh()

    def baselines(self, data: Data, options: Mapping[str, Any]) -> Mapping[str, Callable[[Sample], Prediction]]:  # noqa: ARG002
        """Return the mean pose of all persons, at the place and of the height that the data set tells."""
        poses = [
            np.where(person.annotated[:, None], (person.joints - (place.x, place.y)) / place.scale, np.nan)
            for sample in data.samples
            for person, place in zip(_truth(sample), _places(sample), strict=True)
        ]
        known = ~np.isnan(poses)
        total, n = np.where(known, poses, 0).sum(0), known.sum(0)
        mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
        return {"mean pose": partial(_at_places, mean)}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return what a file has: JSON lines, or `preds` of a file of MATLAB.

        A line is {"id": NAME OF THE IMAGE, "persons": [{"joints": [[x, y] or null, ...16]}, ...]}. `preds` is
        (persons, 16, 2) in the order of the annotations, counted from 1, as the source above writes it.
        """
        if path.suffix == ".mat":
            return _from_mat(path, data)
        known = {sample.id for sample in data.samples}
        found = {}
        for where, record in read_json_lines(path):
            name = entry(record, "id", str, where)
            if name in known:
                _persons(record, where)
                found[name] = Prediction({"persons": record["persons"], "by_place": False})
        if not found:
            raise InputError(f"{path}: expected persons of images such as {data.samples[0].id}; there are none.")
        return found


class Pckh(Measure):
    """Shares of joints that are right."""

    def __init__(self) -> None:
        super().__init__()
        self._images: list[int] = []
        self._counts: list[F64] = []
        self._right: list[F64] = []

    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Count the annotated joints of an image's persons, and those that are right."""
        truth = _truth(sample)
        right = np.zeros((len(THRESHOLDS), N_JOINTS))
        if said is not None:
            where = f"the prediction for {sample.id}"
            persons = _persons(said.form, where)
            by_place = _is_by_place(said.form, persons, truth, where)
            for person, joints in zip(truth, persons if by_place else _matched(persons, truth), strict=True):
                if joints is not None:
                    right += [_are_right(joints, person, threshold) for threshold in THRESHOLDS]
        self._images.append(self.image_number(sample))
        self._counts.append(np.sum([person.annotated for person in truth], axis=0, dtype=np.float64))
        self._right.append(right)

    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the shares."""
        times = np.ones(len(self._images)) if weights is None else weights[self._images]
        counts = np.tensordot(times, np.reshape(self._counts, (-1, N_JOINTS)), 1)
        right = np.tensordot(times, np.reshape(self._right, (-1, len(THRESHOLDS), N_JOINTS)), 1)
        shares = np.divide(right[0], counts, out=np.full(N_JOINTS, np.nan), where=counts > 0)
        means = [_share(row[_COUNTED].sum(), counts[_COUNTED].sum()) for row in right]
        groups = {group: _mean_known(shares[joints]) for group, joints in _OF_GROUP.items()}
        return {"pckh": means[0], **groups, "pckh01": means[1]}


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _mean_known(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _are_right(joints: F64, person: AnnotatedPerson, threshold: float) -> F64:
    """Return (16,) 1 for annotated joints that are right, else 0."""
    away = np.linalg.norm(joints - person.joints, axis=1)
    right = away <= threshold * HEAD_SHARE * person.head_px  # never for NaN
    return np.asarray(right & person.annotated, np.float64)


def _matched(persons: Sequence[F64 | None], truth: Sequence[AnnotatedPerson]) -> list[F64 | None]:
    """Return the predicted joints that each annotated person is given, None where there are none left.

    The pair with the largest share of right joints comes first, among equal ones the nearest. Source:
    leonid-pishchulin/poseval, `py/eval_helpers.py`, `assignGTmulti`, which assigns by PCKh.
    """
    pairs = []
    for p, joints in enumerate(persons):
        for t, person in enumerate(truth):
            counted = person.annotated & _COUNTED
            if joints is not None and counted.any():
                share = _are_right(joints, person, THRESHOLDS[0])[counted].mean()
                away = np.linalg.norm(joints - person.joints, axis=1)[counted]
                pairs.append((-float(share), float(np.nan_to_num(away, nan=_FAR_PX).mean()), p, t))
    given: list[F64 | None] = [None] * len(truth)
    used: set[int] = set()
    for _, _, p, t in sorted(pairs):
        if p not in used and given[t] is None:
            given[t] = persons[p]
            used.add(p)
    return given


def _joints_of(poses: Poses, n: int) -> F64:
    """Return a person's joints (16, 2), NaN for missing ones."""
    xyv = poses.xyv[n].astype(np.float64)
    return np.where((xyv == 0).all(1, keepdims=True), np.nan, xyv[:, :2])


def _in_crop(scene: yg.Scene, place: Place, options: Mapping[str, Any]) -> F64 | None:
    """Return the joints of the person who is nearest to the middle of a crop around `place`, None for none."""
    half = place.scale * PERSON_PX * options["padding"] / 2
    middle = np.array([place.x, place.y + LOWER * place.scale])
    left, top = np.maximum(np.floor(middle - half), 0).astype(int)
    right, bottom = np.minimum(np.ceil(middle + half), scene.size).astype(int)
    if right <= left or bottom <= top:
        return None
    with closing(scene.beside(np.ascontiguousarray(scene.rgb[top:bottom, left:right]))) as crop:
        found = crop.pose(zoom=options["zoom"])
    persons = [_joints_of(found, n) + np.array((left, top)) for n in range(len(found))]
    persons = [joints for joints in persons if not np.isnan(joints).all()]
    return min(persons, key=lambda joints: float(np.linalg.norm(np.nanmean(joints, 0) - middle)), default=None)


def _prediction(persons: Sequence[F64 | F32 | None], *, by_place: bool) -> Prediction:
    listed = [
        None if joints is None else {"joints": [None if np.isnan(joint).any() else joint.tolist() for joint in joints]}
        for joints in persons
    ]
    return Prediction({"persons": listed, "by_place": by_place})


def _at_places(mean: F64, sample: Sample) -> Prediction:
    return _prediction([mean * place.scale + (place.x, place.y) for place in _places(sample)], by_place=True)


def _from_mat(path: Path, data: Data) -> dict[str, Prediction]:
    joints = read_mat(path, {"preds": (None, N_JOINTS, 2)})["preds"] - 1
    rows = {sample.id: [place.row for place in _places(sample)] for sample in data.samples}
    most = max(max(numbers) for numbers in rows.values())
    if most >= len(joints):
        raise InputError(f"{path}: expected preds of at least {most + 1} persons; got {len(joints)}.")
    return {name: _prediction([joints[row] for row in numbers], by_place=True) for name, numbers in rows.items()}


def _persons(form: Mapping[str, Any], where: str) -> list[F64 | None]:
    """Return the joints (16, 2) of each person of an answer, NaN for missing ones.

    Raises:
        InputError: It is of another form.
    """
    listed = entry(dict(form), "persons", list, where)
    return [
        None if person is None else _read_joints(person, f"{where}, persons[{n}]") for n, person in enumerate(listed)
    ]


def _read_joints(person: Any, where: str) -> F64:
    listed = entry(person, "joints", list, where)
    try:
        joints = np.array([[np.nan, np.nan] if joint is None else joint[:2] for joint in listed], np.float64)
        finite = np.isfinite(joints[[joint is not None for joint in listed]]).all()
    except (TypeError, ValueError, KeyError, IndexError, OverflowError):
        joints, finite = np.zeros(0), np.bool_(False)
    if joints.shape != (N_JOINTS, 2) or not finite:
        raise InputError(f"{where}: expected {N_JOINTS} joints, each null or two numbers; got {str(listed)[:40]}.")
    return joints


def _is_by_place(
    form: Mapping[str, Any], persons: Sequence[F64 | None], truth: Sequence[AnnotatedPerson], where: str
) -> bool:
    by_place = form.get("by_place", False) is True
    if by_place and len(persons) != len(truth):
        raise InputError(f"{where}: expected {len(truth)} persons, one for each place; got {len(persons)}.")
    return by_place


def _places(sample: Sample) -> tuple[Place, ...]:
    places: tuple[Place, ...] = sample.asked["places"]
    return places


def _truth(sample: Sample) -> tuple[AnnotatedPerson, ...]:
    persons: tuple[AnnotatedPerson, ...] = sample.truth
    return persons
