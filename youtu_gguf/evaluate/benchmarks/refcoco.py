"""RefCOCO, RefCOCO+ and RefCOCOg: boxes and masks of what phrases mean."""

from __future__ import annotations

from functools import partial
from typing import Literal

from youtu_gguf.arguments import one_of
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.refcoco import read_refcoco
from youtu_gguf.evaluate.kinds.grounding import Grounding
from youtu_gguf.evaluate.kinds.referred import FoundBy, Referred
from youtu_gguf.facts import CROP_SIZE, PADDING
from youtu_gguf.tasks.typed import read_crop_size, read_padding, read_zoom
from youtu_gguf.types import Refine

_LAYOUT = """\
{name}/refs({by}).p       or the same as JSON in {name}/refs({by}).json
{name}/instances.json
images/mscoco/images/train2014/COCO_train2014_000000000009.jpg, ...   or in images/train2014/, or in train2014/
The first two are in {name}.zip (github.com/lichengunc/refer). The images are those of COCO's train2014
(cocodataset.org); only those of the split are needed."""

_SPLIT = Setting(
    "split by",
    "UNC, for RefCOCOg UMD",
    "UNC, for RefCOCOg UMD",
    "as published",
    "The published table has val, testA and testB, and for RefCOCOg val and test: only these splits have those parts. "
    "Other collections cut RefCOCO differently.",
)
_TEXT = Setting(
    "text",
    "sent",
    "sent",
    "our guess",
    "Which text of a phrase is asked for: sent is in lower case and without punctuation, raw as it was typed.",
    partial(one_of(Literal["sent", "raw"]), "text"),
)

_BOX_SETTINGS = (
    _SPLIT,
    Setting("prompt", "grounding", "grounding", "as published", "The report's prompt for the box of a description."),
    _TEXT,
    Setting(
        "box",
        "first",
        "first",
        "our guess",
        "Which box counts where an answer has several: first or largest.",
        partial(one_of(Literal["first", "largest"]), "box"),
    ),
    Setting(
        "zoom", 1, 1, "our guess", "How many times as large the image is shown, 1 to 4, auto, or auto:3.", read_zoom
    ),
    Setting(
        "metric",
        "IoU of 0.5 or more",
        "IoU of 0.5 or more",
        "as published",
        "Share of the phrases whose box overlaps with the true one by half of their common area, and more.",
    ),
    Setting("no box", "wrong", "wrong", "our guess", "An answer without a box counts as wrong."),
)

_MASK_SETTINGS = (
    _SPLIT,
    _TEXT,
    Setting(
        "found",
        "polygon",
        "ground",
        "as published",
        "Where the mask is looked for. polygon: in the extent of the outline that the model draws, as the public demo "
        "does. ground: in the box that the model grounds the phrase to, as the report describes it.",
        partial(one_of(FoundBy), "found"),
    ),
    Setting(
        "padding",
        PADDING,
        PADDING,
        "as published",
        "Sides of what is enlarged, relative to those of the box; as in the public demo.",
        read_padding,
    ),
    Setting(
        "crop_size",
        CROP_SIZE,
        CROP_SIZE // 2,
        "as published",
        "Short side of the enlarged part in pixels; as in the public demo.",
        read_crop_size,
    ),
    Setting(
        "refine",
        "crf",
        "guided",
        "as published",
        "What pulls the border of a mask to the edges of the image: crf (the report's, whose constants are our guess; "
        "needs the extra crf), guided, none or auto.",
        partial(one_of(Refine), "refine"),
    ),
    Setting(
        "metric",
        "cIoU",
        "cIoU",
        "as published",
        "The sum of all pixels in both masks over that of all pixels in either. gIoU, the mean of the phrases' own "
        "overlaps, stands beside it.",
    ),
    Setting(
        "true masks",
        "filled by pycocotools, joined",
        "filled by pycocotools, joined",
        "our guess",
        "Some programs leave out pixels that two outlines of one object share; here they belong to the object.",
    ),
    Setting("no mask", "empty", "empty", "our guess", "An answer without a mask counts as one without pixels."),
)

_SETS = (
    ("refcoco", "RefCOCO", "unc", ("val", "testA", "testB"), (0.936, 0.952, 0.908), (0.807, 0.820, 0.784)),
    ("refcoco+", "RefCOCO+", "unc", ("val", "testA", "testB"), (0.901, 0.939, 0.854), (0.762, 0.796, 0.714)),
    ("refcocog", "RefCOCOg", "umd", ("val", "test"), (0.922, 0.929), (0.765, 0.766)),
)

REFCOCO: tuple[Benchmark, ...] = tuple(
    benchmark
    for name, title, by, splits, accuracy, ciou in _SETS
    for benchmark in (
        Benchmark(
            name,
            title,
            _LAYOUT.format(name=name, by=by),
            splits,
            _BOX_SETTINGS,
            Grounding(),
            partial(read_refcoco, name=name, by=by),
            {split: {"accuracy": value} for split, value in zip(splits, accuracy, strict=True)},
        ),
        Benchmark(
            f"{name}-masks",
            f"{title} masks",
            _LAYOUT.format(name=name, by=by),
            splits,
            _MASK_SETTINGS,
            Referred(),
            partial(read_refcoco, name=name, by=by, masks=True),
            {split: {"ciou": value} for split, value in zip(splits, ciou, strict=True)},
        ),
    )
)
