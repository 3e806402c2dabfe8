"""Poses: MPII Human Pose."""

from __future__ import annotations

from youtu_gguf.arguments import as_float
from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.mpii import read_mpii
from youtu_gguf.evaluate.kinds.poses import PosesOfPersons
from youtu_gguf.tasks.typed import read_zoom

_VIEWS = ("image", "person")
_MOST_PADDING = 10.0


def _read_view(text: str) -> str:
    if text not in _VIEWS:
        raise InputError(f"view must be one of {', '.join(_VIEWS)}; got {text[:40]!r}.")
    return text


def _read_padding(text: str) -> float:
    try:
        number = as_float(float(text))
    except ValueError:
        number = None
    if number is None or not 1 <= number <= _MOST_PADDING:
        raise InputError(f"padding must be a number from 1 to {_MOST_PADDING:g}; got {text[:40]!r}.")
    return number


_VIEW_NOTE = "image: all persons are asked for; person: those of a crop around each place that the data set tells."
_PADDING_NOTE = "Side of such a crop, in heights of the person; 1.25 is usual where persons are cropped."
_ZOOM_NOTE = "Images, or crops, are shown this many times as large."
_MATCH_NOTE = "With view=image, each answer is given to the annotated person most of whose joints it has right, once."
_JOINTS_NOTE = "Pelvis and thorax are left out, as is usual."

MPII: tuple[Benchmark, ...] = (
    Benchmark(
        "mpii",
        "MPII Human Pose",
        """DATA/annot/valid.json and DATA/annot/gt_valid.mat (2,958 persons), to which the page of
github.com/microsoft/human-pose-estimation.pytorch leads, and DATA/images/*.jpg of human-pose.mpi-inf.mpg.de. A sample
is an image with its annotated persons. Predictions are JSON lines, or pred.mat as that code writes it.""",
        ("val",),
        (
            Setting("view", "image", "image", "our guess", _VIEW_NOTE, _read_view),
            Setting("padding", 1.25, 1.25, "our guess", _PADDING_NOTE, _read_padding),
            Setting("zoom", 1.0, 1.0, "our guess", _ZOOM_NOTE, read_zoom),
            Setting("match", "most right joints", "most right joints", "our guess", _MATCH_NOTE),
            Setting("joints", "14 of 16", "14 of 16", "our guess", _JOINTS_NOTE),
        ),
        PosesOfPersons(),
        read_mpii,
        {"val": {"pckh": 0.891}},
    ),
)
