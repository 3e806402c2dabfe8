"""Tiny model files with something changed in them, for tests of what reads headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from gguf.constants import GGMLQuantizationType
from gguf.gguf_writer import GGUFValue

from youtu_gguf.gguf.writer import TensorSpec, write_gguf
from youtu_gguf.weights.synthetic import layout
from youtu_gguf.weights.synthetic.pair import TINY

Edit = Callable[[dict[str, GGUFValue], list[TensorSpec]], None]


class Zeros:
    """Tensor data for files that only their headers are read of."""

    def chunks(self, spec: TensorSpec) -> Iterator[np.ndarray]:
        yield np.zeros(spec.n_bytes, np.uint8)


def write_edited(path: Path, part: str, edit: Edit) -> Path:
    """Write a tiny "model" or "projector" of zeros whose metadata and tensors `edit` has changed."""
    writer = GGUFWriter(path, "deepseek2" if part == "model" else "clip")
    kind = GGMLQuantizationType.F32
    if part == "model":
        layout.describe_language(writer, TINY, "F32")
        specs = layout.language_tensors(TINY, kind)
    else:
        layout.describe_vision(writer, TINY, "F32")
        specs = layout.vision_tensors(TINY, kind)
    edit(writer.kv_data[0], specs)
    write_gguf(writer, path, specs, Zeros(), lambda _done, _total: None)
    return path
