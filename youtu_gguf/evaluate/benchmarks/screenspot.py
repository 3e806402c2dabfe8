"""ScreenSpot-Pro: where to click on a screenshot."""

from __future__ import annotations

from functools import partial

from youtu_gguf.arguments import one_of
from youtu_gguf.evaluate.base import Benchmark, Setting
from youtu_gguf.evaluate.data.screenspot import read_screenspot
from youtu_gguf.evaluate.kinds.points import Points
from youtu_gguf.types import Lang

SCREENSPOT: tuple[Benchmark, ...] = (
    Benchmark(
        "screenspot-pro",
        "ScreenSpot-Pro",
        """\
annotations/android_studio_macos.json, ...
images/android_studio_mac/*.png, ...      as the files name them
Both are in the data set likaixin/ScreenSpot-Pro of Hugging Face.""",
        ("en", "cn"),
        (
            Setting("prompt", "computer use", "computer use", "as published", "The system text declares a mouse."),
            Setting(
                "lang",
                "en",
                "en",
                "our guess",
                "Language of what is said beside the instruction, en or zh; the split is the language of that.",
                partial(one_of(Lang), "lang"),
            ),
            Setting(
                "instructions",
                "positive, in the style instruction",
                "positive, in the style instruction",
                "as published",
                "As in the benchmark's own script; the element is always there.",
            ),
            Setting(
                "action",
                "any",
                "any",
                "our guess",
                "A point counts whatever the model would do there, such as a double click.",
            ),
            Setting(
                "large images",
                "shown smaller",
                "shown smaller",
                "our guess",
                "Coordinates end at 2047: a longer side is shown that long, unless the tokens of an image end before.",
            ),
            Setting(
                "metric",
                "point in box",
                "point in box",
                "as published",
                "Share of the instructions whose point is in the element's box or on its border. An answer without a "
                "point is wrong.",
            ),
        ),
        Points(),
        read_screenspot,
        {"en": {"accuracy": 0.596}},
    ),
)
