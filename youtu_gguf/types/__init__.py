"""The values that tasks return, and what they are expressed in. No I/O."""

from youtu_gguf.types.arrays import F32, I32, U8, Bits, checked, run_lengths
from youtu_gguf.types.choices import Finish, Lang, ProgressFn, no_progress
from youtu_gguf.types.geometry import Grid, PreparedImage, Size, Transform
from youtu_gguf.types.values import (
    Action,
    Boxes,
    Count,
    DepthMap,
    Instances,
    Issue,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Text,
    Timings,
    each_score,
    in_words,
)

__all__ = [
    "F32",
    "I32",
    "U8",
    "Action",
    "Bits",
    "Boxes",
    "Count",
    "DepthMap",
    "Finish",
    "Grid",
    "Instances",
    "Issue",
    "LabelMap",
    "Lang",
    "Mask",
    "Polygons",
    "Poses",
    "PreparedImage",
    "ProgressFn",
    "Result",
    "Size",
    "Text",
    "Timings",
    "Transform",
    "checked",
    "each_score",
    "in_words",
    "no_progress",
    "run_lengths",
]
