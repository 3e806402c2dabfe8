"""The choices that callers make by a word, each spelled once, and what is called to report progress."""

from collections.abc import Callable
from typing import Literal

Lang = Literal["en", "zh"]
"""Languages that questions can be put in."""

EngineName = Literal["native", "server"]
"""Engines by name: in this process, or a llama-server that is started. Others are addresses or objects."""

HiddenWay = Literal["auto", "nextn", "embeddings"]
"""How hidden states are read from llama.cpp."""

Vision = Literal["auto", "windowed", "mtmd"]
"""What encodes images: our own vision tower, llama.cpp's, or ours where it gives what llama.cpp's gives."""

Draft = Literal["auto", "on", "off"]
"""Whether tokens are drafted while an answer is generated; "auto" does it where a measurement says that it pays."""

GpuLayers = int | Literal["auto"]
"""How many layers a device gets: "auto" means as many as fit, -1 all."""

CountBy = Literal["answer", "detection"]
"""What counts: the number that the model says, or the boxes that it finds."""

ReferBy = Literal["states", "polygon"]
"""What a referring mask is made from: the states of image tokens, or the outline that the model draws."""

FoundBy = Literal["phrase", "box", "segment"]
"""What a referring mask was found by: a phrase, a box, or the class of pixels that are connected."""

Find = Literal["names", "everything"]
"""How instances are found without class names: name the classes first, or detect everything at once."""

Present = Literal["model", "all"]
"""Which of the given classes are segmented: those that the model says are there, or all."""

CalibrationWord = Literal["stored", "default"]
"""Which calibration is in force: what is stored for the model's files on this machine, or the defaults."""

FocalWord = Literal["unknown", "assumed"]
"""What a focal length may be in place of pixels: none at all, or that of a telephone's camera where none is known."""

Scale = Literal["open", "nyuv2", "cityscapes", "ddad"]
"""Depth scales: `facts.DEPTH_SCALES` has their ranges."""

DepthUnit = Literal["m", "relative"]
"""Unit of distances."""

FileForm = Literal[
    "named", "padded", "zero-padded", "normal", "special", "experts", "bos", "no-template", "other-template"
]
"""Forms of a random model file: `weights.synthetic.variants.VARIANTS` says what each is."""

Method = Literal["crf", "guided"]
"""Refinements of borders."""

Refinement = Literal["crf", "guided", "none"]
"""What is done to borders."""

Refine = Literal["auto", "crf", "guided", "none"]
"""What a caller may ask to be done to borders; "auto" takes the best that is there."""

Normalise = Literal["grid", "pixels"]
"""Where class scores become probabilities: at the image tokens, before they are upsampled, or at the pixels, after."""

Finish = Literal["stop", "length", "time", "loop", "cancelled", "none"]
"""Why an answer ended: the model's end token, the token or context limit, the time limit, going round in circles or
on without anything new, the caller, or nothing was generated."""

Found = Literal["context", "memory", "disk", "none"]
"""Where an engine found what precedes a question."""

ProgressFn = Callable[[str, int, int], None]
"""Called with (stage, done, total) while something takes time; total is 0 where it is not known beforehand."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Report nothing; a `ProgressFn`."""
