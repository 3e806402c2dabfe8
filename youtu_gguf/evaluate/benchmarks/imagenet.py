"""ImageNet with reassessed labels: the category of an image in the model's own words."""

from __future__ import annotations

from functools import partial
from typing import Literal

from youtu_gguf.arguments import one_of
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.imagenet_real import read_imagenet_real
from youtu_gguf.evaluate.kinds.categories import Categories

IMAGENET: tuple[Benchmark, ...] = (
    Benchmark(
        "imagenet-real",
        "ImageNet-ReaL",
        """\
real.json                labels of the 50,000 images, from github.com/google-research/reassessed-imagenet
val/                     ILSVRC2012_val_00000001.JPEG and so on, there or in folders of it, from image-net.org; as
                         Kaggle packs them they are in ILSVRC/Data/CLS-LOC/val/
LOC_synset_mapping.txt   names of the classes with their synonyms, from Kaggle; instead of it synset_words.txt (Caffe),
                         imagenet_class_index.json (Keras), or classes.txt with a class on each line""",
        ("val",),
        (
            Setting("prompt", "classify", "classify", "as published", "The report's prompt for the primary object."),
            Setting(
                "match",
                "contained",
                "contained",
                "our guess",
                "How an answer becomes a class. exact: it is one of the class's names, apart from case, punctuation, "
                "articles and plural. contained: else the longest name in it counts. The report does not say.",
                read=partial(one_of(Literal["exact", "contained"]), "match"),
            ),
            Setting(
                "one name of two classes",
                "means both",
                "means both",
                "our guess",
                'Answers such as "crane" are right if either class is.',
            ),
        ),
        Categories(),
        read_imagenet_real,
        {"val": {"accuracy": 0.893}},
    ),
)
