#!/usr/bin/env python3
"""Writes a trained checkpoint as a pair of GGUF files, with the metadata of the published ones.

A checkpoint is a folder of three files: weights.npz (float32, under the names of the GGUF tensors, in NumPy's order of
axes), shape.json (the fields of LanguageShape and VisionShape) and tokenizer.json (`Tokenizer.save`). Needs no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter
from gguf.quants import quantize

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.atomic import replacing
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.facts import LanguageShape, VisionShape
from youtu_gguf.gguf.writer import Bytes, TensorSpec, write_gguf
from youtu_gguf.weights.synthetic.layout import FILE_TYPES, describe_language, describe_vision
from youtu_gguf.weights.synthetic.pair import (
    Shape,
    check_rows,
    find_type,
    language_tensors,
    vision_tensors,
)
from youtu_gguf.weights.synthetic.tokens import TokenTable

NAME = "Youtu-VL-nano"
DESCRIPTION = (
    "A small model trained on drawn scenes by the youtu_gguf project, in the architecture of Youtu-VL. "
    "These are not Tencent's weights."
)
AUTHOR, LICENSE = "The youtu_gguf authors", "mit"
WEIGHTS, SHAPE, TOKENIZER = "weights.npz", "shape.json", "tokenizer.json"

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Checkpoint:
    """The result of training."""

    weights: Mapping[str, F32]
    language: LanguageShape
    vision: VisionShape
    tokenizer: Tokenizer

    @property
    def shape(self) -> Shape:
        """Sizes of the whole model."""
        return Shape(NAME, self.language, self.vision, self.tokenizer.shape)

    def save(self, folder: str | Path) -> None:
        """Write the three files; each replaces its previous version at once."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        shapes = {"language": asdict(self.language), "vision": asdict(self.vision)}
        with replacing(folder / WEIGHTS) as path, path.open("wb") as file:
            np.savez(file, **self.weights)  # type: ignore[arg-type]  # its stub reads the names as options
        with replacing(folder / SHAPE) as path:
            path.write_text(json.dumps(shapes, indent=1) + "\n", encoding="utf-8")
        with replacing(folder / TOKENIZER) as path:
            self.tokenizer.save(path)

    @classmethod
    def load(cls, folder: str | Path) -> Checkpoint:
        """Read the three files.

        Raises:
            InputError: One is missing or damaged.
        """
        folder = Path(folder)
        try:
            shapes = json.loads((folder / SHAPE).read_text(encoding="utf-8"))
            shapes["vision"]["full_layers"] = tuple(shapes["vision"]["full_layers"])
            with np.load(folder / WEIGHTS) as archive:
                weights = dict(archive)
            language, vision = LanguageShape(**shapes["language"]), VisionShape(**shapes["vision"])
            return cls(weights, language, vision, Tokenizer.load(folder / TOKENIZER))
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as exc:
            raise InputError(
                f"expected {WEIGHTS}, {SHAPE} and {TOKENIZER} of a training run in {folder}; got: {exc}. "
                "Name the --out folder of scripts/nano/train.py."
            ) from exc


class TrainedWeights:
    """Tensor data that comes from arrays."""

    def __init__(self, arrays: Mapping[str, F32]) -> None:
        self._arrays = arrays

    def chunks(self, spec: TensorSpec) -> Iterator[Bytes]:
        """Yield the whole tensor, encoded."""
        yield quantize(np.ascontiguousarray(self._arrays[spec.name], dtype=np.float32), spec.type)


def export(checkpoint: Checkpoint, folder: str | Path, quant: str = "Q8_0") -> tuple[Path, Path]:
    """Write the pair of a checkpoint with all matrices encoded as `quant`, norms and biases in full precision.

    Returns:
        Paths of the model and of the projector. An error leaves neither a new nor a partial file.

    Raises:
        InputError: Tensors are missing, too many, of another shape or not finite, or `quant` cannot hold their rows.
    """
    shape, kind, folder = checkpoint.shape, find_type(quant), Path(folder)
    model_specs, projector_specs = language_tensors(shape, kind), vision_tensors(shape, kind, kind)
    check_rows([*model_specs, *projector_specs])
    check_weights([*model_specs, *projector_specs], checkpoint.weights)
    model, projector = folder / f"{NAME}-{quant}.gguf", folder / f"mmproj-{NAME}-{quant}.gguf"
    tokens = checkpoint.tokenizer
    weights = TrainedWeights(checkpoint.weights)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(projector) as new_projector, replacing(model) as new_model:
        writer = _signed(GGUFWriter(new_model, "deepseek2"))
        describe_language(writer, shape, quant, TokenTable(tokens.texts, tokens.types, tokens.merges), DESCRIPTION)
        write_gguf(writer, new_model, model_specs, weights, _report_nothing)
        writer = _signed(GGUFWriter(new_projector, "clip"))
        describe_vision(writer, shape, quant, DESCRIPTION)
        write_gguf(writer, new_projector, projector_specs, weights, _report_nothing)
    return model, projector


def _signed(writer: GGUFWriter) -> GGUFWriter:
    writer.add_author(AUTHOR)
    writer.add_license(LICENSE)
    return writer


def _report_nothing(_done: int, _total: int) -> None:
    pass


def check_weights(specs: list[TensorSpec], weights: Mapping[str, F32]) -> None:
    """Raise InputError unless the weights are exactly the tensors of the shape, finite and in NumPy's order of axes."""
    wanted = {spec.name: spec.shape[::-1] for spec in specs}
    got = {name: array.shape for name, array in weights.items()}
    if wanted != got:
        wrong = [f"{name} {got.get(name)} for {wanted.get(name)}" for name in sorted(wanted.keys() | got.keys())
                 if wanted.get(name) != got.get(name)]  # fmt: skip
        raise InputError(
            f"weights must be those of the shape; {len(wrong)} differ: {', '.join(wrong[:5])}. Check shape.json."
        )
    broken = [name for name, array in weights.items() if not np.isfinite(array).all()]
    if broken:
        raise InputError(f"weights must be finite; {', '.join(broken[:5])} are not. Export an earlier checkpoint.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder with the three files")
    parser.add_argument("folder", type=Path, metavar="OUT_DIR")
    parser.add_argument("--quant", nargs="+", choices=sorted(FILE_TYPES), default=["Q8_0"])
    args = parser.parse_args()
    try:
        checkpoint = Checkpoint.load(args.checkpoint)
        written = [export(checkpoint, args.folder, quant) for quant in args.quant]
    except (YoutuError, OSError) as exc:
        sys.exit(str(exc))
    for paths in written:
        for path in paths:
            print(f"{path.stat().st_size / 1e6:8.2f} MB  {path}")
        print(f"{sum(path.stat().st_size for path in paths) / 1e6:8.2f} MB  in all")


if __name__ == "__main__":
    main()
