"""COCO val2017: objects of 80 classes as boxes, which the authors have published, and as masks, which they have not."""

from __future__ import annotations

from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.objects import read_objects
from youtu_gguf.evaluate.kinds.detection import Detection
from youtu_gguf.facts import CROP_SIZE, MERGE_IOU
from youtu_gguf.tasks.typed import choice_reader, read_crop_size, read_limit, read_zooms
from youtu_gguf.types import Refine

_LAYOUT = """\
annotations/instances_val2017.json    from annotations_trainval2017.zip of cocodataset.org
val2017/000000000139.jpg ...          from val2017.zip; 5,000 images"""

_MOST_AT_ONCE = 1000
_FAST_CROP_SIZE = 640


def _read_rank(text: str) -> str:
    if text not in ("area", "scores"):
        raise InputError(f"rank must be area or scores; got {text!r}.")
    return text


def _read_prompt(*words: str) -> Any:
    def read(text: str) -> str | int:
        if text in words:
            return text
        if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_AT_ONCE:
            return int(text)
        raise InputError(
            f"prompt must be {', '.join(words)} or a number of classes at a time, 1 or more; got {text!r}."
        )

    return read


def _read_zoom(text: str) -> tuple[Any, ...]:
    zooms = read_zooms(text)
    return zooms if isinstance(zooms, tuple) else (zooms,)


_PROMPT_NOTE = (
    "What is asked for: all 80 classes in one question; everything, whatever its class; or a number of classes at a "
    "time, in as many questions as that takes."
)
_AP = "AP over IoU 0.5 to 0.95, 100 objects of a class in an image, as pycocotools"
_METRIC = Setting(
    "metric",
    _AP,
    _AP,
    "our guess",
    "COCO's own; of boxes the authors say mAP. Crowds are ignored. Objects whose label is none of the 80 names do not "
    "count.",
)

COCO: tuple[Benchmark, ...] = (
    Benchmark(
        name="coco",
        title="COCO val2017, boxes",
        layout=_LAYOUT,
        splits=("val2017",),
        settings=(
            Setting("prompt", "all", "all", "our guess", _PROMPT_NOTE, _read_prompt("all", "everything")),
            Setting(
                "zoom", (1, 2, 3, 4), (1,), "as published",
                "The image is shown at these sizes, as multiples of its own, and the answers are merged.", _read_zoom,
            ),
            Setting(
                "nms", MERGE_IOU, MERGE_IOU, "as published",
                "Of boxes with one label that overlap by more than this the largest remains.",
            ),
            Setting(
                "rank", "area", "area", "as published",
                "What objects are ranked by: the area of their box, or scores, made of the tokens' probabilities. "
                "AP by each is among the figures. Objects from a file of results are ranked by its scores.",
                _read_rank,
            ),
            _METRIC,
        ),
        kind=Detection(),
        read=read_objects,
        published={"val2017": {"ap": 0.471}},
    ),
    Benchmark(
        name="coco-instances",
        title="COCO val2017, masks",
        layout=_LAYOUT,
        splits=("val2017",),
        settings=(
            Setting(
                "prompt", "all", "all", "our guess",
                _PROMPT_NOTE + " Or named, for the classes that the model itself names before.",
                _read_prompt("all", "everything", "named"),
            ),
            Setting("limit", 100, 30, "our guess", "Objects that are masked, the largest first.", read_limit),
            Setting(
                "crop_size", CROP_SIZE, _FAST_CROP_SIZE, "our guess",
                "Short side in pixels of the enlarged crop that each object is masked in.", read_crop_size,
            ),
            Setting(
                "refine", "auto", "none", "our guess",
                "How borders are refined. The authors publish no figure for masks of COCO.",
                choice_reader("refine", Refine),
            ),
            Setting(
                "rank", "area", "area", "our guess",
                "What objects are ranked by: the area of their box, as boxes are, or the scores of their masks.",
                _read_rank,
            ),
            _METRIC,
        ),
        kind=Detection(masks=True),
        read=read_objects,
    ),
)  # fmt: skip
