"""The values that tasks return, and what they are expressed in. No I/O.

Unless a docstring says otherwise, coordinates are pixels of the **source** image (upright, after its EXIF
orientation), origin at the top-left corner, x to the right, y down, float32. A pixel's area spans
``[x, x + 1)``, so a box over a whole image is ``(0, 0, width, height)``.

Scores lie in 0..1. They are None where none were asked for, and NaN for an item whose tokens the engine does not know;
docs/scores.md tells what they mean.

Arrays are checked once, when a value is made, and are read-only from then on.
"""

from youtu_gguf.types.answers import Action, Count, Text, in_words
from youtu_gguf.types.arrays import F32, I32, U8, Bits, Frozen, checked, extent, handed_over, run_lengths
from youtu_gguf.types.choices import (
    CalibrationWord,
    CountBy,
    DepthUnit,
    Draft,
    EngineName,
    FileForm,
    Find,
    Finish,
    FocalWord,
    Found,
    FoundBy,
    GpuLayers,
    HiddenWay,
    Lang,
    Method,
    Normalise,
    Present,
    ProgressFn,
    ReferBy,
    Refine,
    Refinement,
    Scale,
    Vision,
    no_progress,
)
from youtu_gguf.types.counts import Counts
from youtu_gguf.types.geometry import Grid, PreparedImage, Size, Transform
from youtu_gguf.types.maps import DepthMap, LabelMap, Mask, Region
from youtu_gguf.types.objects import Box, Boxes, Instance, Instances, Polygon, Polygons, Pose, Poses
from youtu_gguf.types.result import Issue, Result, Timings
from youtu_gguf.types.rows import each_score
from youtu_gguf.types.spans import Span, Spans, placed_spans
from youtu_gguf.types.turns import Part, Turn

__all__ = [
    "F32",
    "I32",
    "U8",
    "Action",
    "Bits",
    "Box",
    "Boxes",
    "CalibrationWord",
    "Count",
    "CountBy",
    "Counts",
    "DepthMap",
    "DepthUnit",
    "Draft",
    "EngineName",
    "FileForm",
    "Find",
    "Finish",
    "FocalWord",
    "Found",
    "FoundBy",
    "Frozen",
    "GpuLayers",
    "Grid",
    "HiddenWay",
    "Instance",
    "Instances",
    "Issue",
    "LabelMap",
    "Lang",
    "Mask",
    "Method",
    "Normalise",
    "Part",
    "Polygon",
    "Polygons",
    "Pose",
    "Poses",
    "PreparedImage",
    "Present",
    "ProgressFn",
    "ReferBy",
    "Refine",
    "Refinement",
    "Region",
    "Result",
    "Scale",
    "Size",
    "Span",
    "Spans",
    "Text",
    "Timings",
    "Transform",
    "Turn",
    "Vision",
    "checked",
    "each_score",
    "extent",
    "handed_over",
    "in_words",
    "no_progress",
    "placed_spans",
    "run_lengths",
]
