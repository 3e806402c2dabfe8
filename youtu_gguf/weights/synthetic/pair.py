"""Model pairs of Youtu-VL's exact architecture with random weights, at any size.

They stand in for the published files: a tiny pair for tests, and a full-size one to measure a machine with before a
6 GB download. Their answers mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from youtu_gguf.arguments import checked_path
from youtu_gguf.atomic import replacing, writing
from youtu_gguf.errors import InputError
from youtu_gguf.gguf.writer import TensorSpec, Weights, bytes_needed, check_room, write_gguf
from youtu_gguf.types import FileForm, ProgressFn, no_progress
from youtu_gguf.weights.synthetic.layout import (
    FILE_TYPES,
    FULL,
    SIZES,
    TINY,
    Shape,
    describe_language,
    describe_vision,
    language_tensors,
    vision_tensors,
)
from youtu_gguf.weights.synthetic.tokens import VocabularyShape
from youtu_gguf.weights.synthetic.values import NormalWeights, PooledWeights
from youtu_gguf.weights.synthetic.variants import VARIANTS, Variant

__all__ = [
    "FULL",
    "SIZES",
    "TINY",
    "VARIANTS",
    "Shape",
    "Variant",
    "VocabularyShape",
    "check_rows",
    "find_type",
    "language_tensors",
    "vision_tensors",
    "write_synthetic_pair",
]


T = TypeVar("T")


def write_synthetic_pair(
    folder: str | Path,
    size: str | Shape = "tiny",
    *,
    seed: int = 0,
    quant: str = "Q8_0",
    projector_quant: str | None = None,
    tied: bool = True,
    variant: FileForm | Variant = "named",
    progress: ProgressFn | None = None,
) -> tuple[Path, Path]:
    """Write a language model and its projector into `folder`, replacing files of the same names.

    Args:
        folder: Made when it does not exist.
        size: "tiny", "full", or a shape of your own.
        seed: Equal seeds give equal bytes.
        quant: Encoding of the language model's matrices: F32, F16, BF16 or Q8_0.
        projector_quant: The same for the vision tower; None picks F32 with F32 and BF16 otherwise.
        tied: Use the token embedding as the head instead of writing `output.weight`.
        variant: A name in VARIANTS, or a form of your own: token names, leftover keys, chat template.
        progress: Called with ("model" or "projector", bytes written, bytes in all).

    Returns:
        Paths of the model and of the projector. After an error neither a new nor a half-written file is left.

    Raises:
        InputError: Unknown size, encoding or variant, or rows that an encoding cannot hold.
        OutputError: The disk has no room, or the folder cannot be written.
    """
    shape, form, report = _find(SIZES, "size", size), _find(VARIANTS, "variant", variant), progress or no_progress
    folder = checked_path("folder", folder)
    projector_quant = projector_quant or ("F32" if quant == "F32" else "BF16")
    model = folder / f"{shape.name}-{quant}.gguf"
    projector = folder / f"mmproj-{shape.name}-{projector_quant}.gguf"
    model_specs = language_tensors(shape, find_type(quant), tied=tied)
    projector_specs = vision_tensors(shape, find_type(projector_quant))
    weights: Weights = PooledWeights(seed) if shape.pooled else NormalWeights(seed)
    check_rows([*model_specs, *projector_specs])
    with writing(model):
        folder.mkdir(parents=True, exist_ok=True)
        check_room(folder, bytes_needed([*model_specs, *projector_specs]))
        with replacing(projector) as new_projector, replacing(model) as new_model:
            writer = GGUFWriter(new_model, "deepseek2")
            describe_language(writer, shape, quant, variant=form)
            write_gguf(writer, new_model, model_specs, weights, partial(report, "model"))
            writer = GGUFWriter(new_projector, "clip")
            describe_vision(writer, shape, projector_quant)
            write_gguf(writer, new_projector, projector_specs, weights, partial(report, "projector"))
    return model, projector


def _find(known: Mapping[Any, T], argument: str, value: str | T) -> T:
    if not isinstance(value, str):
        return value
    if value not in known:
        raise InputError(f"{argument} must be one of {', '.join(known)}; got {value!r}.")
    return known[value]


def find_type(quant: str) -> GGMLQuantizationType:
    """Return the encoding named `quant`.

    Raises:
        InputError: This module does not write it.
    """
    if quant not in FILE_TYPES:
        raise InputError(f"quant must be one of {', '.join(FILE_TYPES)}; got {quant!r}.")
    return GGMLQuantizationType[quant]


def check_rows(specs: Sequence[TensorSpec]) -> None:
    """Raise InputError when a tensor's rows do not fill whole blocks of its encoding."""
    for spec in specs:
        block, _ = GGML_QUANT_SIZES[spec.type]
        if spec.shape[0] % block:
            raise InputError(
                f"rows of {spec.name} must be multiples of {block} for {spec.type.name}; got {spec.shape[0]}. "
                "Choose another encoding or shape."
            )
