"""Semantic segmentation: ADE20K, Cityscapes, VOC20, Context59 and COCO-Stuff.

Figures, zooms, tiles, temperature and refinement are from the Youtu-VL report (arXiv 2601.19798), section 2.2 and its
appendix; the readers' constants name their own sources.
"""

from __future__ import annotations

from youtu_gguf.evaluate.base import Benchmark, Known, Setting
from youtu_gguf.evaluate.data.label_maps import (
    read_ade20k,
    read_cityscapes,
    read_coco_stuff,
    read_context59,
    read_voc20,
)
from youtu_gguf.evaluate.kinds.labels import Labels
from youtu_gguf.tasks.typed import choice_reader, read_tiles, read_zoom
from youtu_gguf.types import Present, Refine

_PRESENT = (
    "Which classes are there: model, the model says; all, every class of the data set, which generates nothing and "
    "mistakes classes that are not there."
)
_REFINE = (
    "How borders are pulled to the image's edges: crf (extra crf), guided (a filter of our own), auto (crf where it is "
    "installed) or none. The report's constants of the crf are not published."
)
_ZOOM = (
    "How many times as large the image is shown, within image_max_tokens: auto:3 is as much as fits, up to 3. The "
    "authors' code allows 9,216 image tokens, llama.cpp's documentation 2,048: raise it, or images are shown smaller."
)
_TILES = "Columns and rows of tiles that the enlarged image is shown in, one at a time."
_NAMES = "The words that the model is asked with are not published. These are the data set's, the first of several."
_WHOLE = "1x1"
_PROMPT = "Segment: {classes}, without the background class."


def _read_tiles(text: str) -> str:
    across, down = read_tiles(text)
    return f"{across}x{down}"


def _settings(zoom: str, tiles: str, ignored: str, known: Known) -> tuple[Setting, ...]:
    temperature = "Of the softmax over the named classes, before their maps are resized."
    return (
        Setting("present", "model", "model", "as published", _PRESENT, choice_reader("present", Present)),
        Setting("zoom", zoom, 1.0, "as published", _ZOOM, read_zoom),
        Setting("tiles", tiles, _WHOLE, "as published", _TILES, _read_tiles),
        Setting("refine", "crf", "guided", "as published", _REFINE, choice_reader("refine", Refine)),
        Setting("prompt", _PROMPT, _PROMPT, "as published", "The question; it names all classes of the data set."),
        Setting("temperature", "0.2", "0.2", "as published", temperature),
        Setting("names", "the data set's", "the data set's", "our guess", _NAMES),
        Setting("ignored", ignored, ignored, known, "Pixels that do not count, whatever is answered there."),
    )


ADE20K = Benchmark(
    "ade20k",
    "ADE20K, 150 classes",
    """DATA/images/validation/*.jpg and DATA/annotations/validation/*.png (0 to 150), 2,000 of each, as in
ADEChallengeData2016.zip of the MIT scene parsing benchmark (sceneparsing.csail.mit.edu). DATA may also be the folder
above. Names of classes are read from DATA/objectInfo150.txt where that is there.""",
    ("validation",),
    _settings("auto:4", _WHOLE, "0, other objects", "as published"),
    Labels(),
    read_ade20k,
    {"validation": {"miou": 0.542}},
)

CITYSCAPES = Benchmark(
    "cityscapes",
    "Cityscapes, 19 classes",
    """DATA/leftImg8bit/val/CITY/*_leftImg8bit.png and DATA/gtFine/val/CITY/*_gtFine_labelIds.png, 500 of each, from
leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip (cityscapes-dataset.com, after registration). Maps may also be
*_gtFine_labelTrainIds.png, as cityscapesScripts writes them.""",
    ("val",),
    _settings("auto:2", "2x2", "labels without a trainId (255)", "as published"),
    Labels(),
    read_cityscapes,
    {"val": {"miou": 0.704}},
)

VOC20 = Benchmark(
    "voc20",
    "PASCAL VOC 2012, 20 classes",
    """DATA/JPEGImages/*.jpg, DATA/SegmentationClass/*.png (palette, 0 to 20 and 255) and
DATA/ImageSets/Segmentation/val.txt, which names 1,449 images, as in VOCtrainval_11-May-2012.tar
(host.robots.ox.ac.uk/pascal/VOC/voc2012). DATA may also be a folder with VOC2012 or VOCdevkit/VOC2012.""",
    ("val",),
    _settings("auto:3", _WHOLE, "background and borders of objects (0, 255)", "our guess"),
    Labels(),
    read_voc20,
    {"val": {"miou": 0.925}},
)

CONTEXT59 = Benchmark(
    "context59",
    "PASCAL Context, 59 classes",
    """DATA/JPEGImages/*.jpg, DATA/SegmentationClassContext/*.png (0 to 59) and
DATA/ImageSets/SegmentationContext/val.txt, which names 5,104 images, as MMSegmentation's
tools/dataset_converters/pascal_context.py writes them into VOC2010. DATA may also be a folder with VOC2010 or
VOCdevkit/VOC2010.""",
    ("val",),
    _settings("auto:3", _WHOLE, "background (0)", "our guess"),
    Labels(),
    read_context59,
    {"val": {"miou": 0.604}},
)

COCO_STUFF = Benchmark(
    "coco-stuff",
    "COCO-Stuff 164k, 171 classes",
    """DATA/images/val2017/*.jpg and DATA/annotations/val2017/*.png (0 to 181 and 255), 5,000 of each, from val2017.zip
(cocodataset.org) and stuffthingmaps_trainval2017.zip (github.com/nightrome/cocostuff). Images may also be in
DATA/val2017, maps in DATA/stuffthingmaps/val2017, and maps *_labelTrainIds.png, as MMSegmentation writes them.""",
    ("val2017",),
    _settings("auto:3", _WHOLE, "unlabeled (255)", "our guess"),
    Labels(),
    read_coco_stuff,
    {"val2017": {"miou": 0.525}},
)

SEMANTIC: tuple[Benchmark, ...] = (ADE20K, CITYSCAPES, VOC20, CONTEXT59, COCO_STUFF)
