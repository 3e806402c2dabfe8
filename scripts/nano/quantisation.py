#!/usr/bin/env python3
"""What nano loses in each encoding; llama.cpp quantises it, and the questions go through the public API.

    python scripts/nano/quantisation.py --n 300

Rows of 192 values do not fill the blocks of 256 of a K-quant: llama.cpp uses Q5_0, Q5_1 or Q8_0 for them instead, so
the last column says what the file actually holds. Q4_0 has blocks of 32 and is 4 bits throughout.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.evaluate import evaluate
from youtu_gguf.gguf.header import read_header

ENCODINGS = (
    ("Q8_0", "Q8_0"), ("Q6_K", "Q8_0"), ("Q5_K_M", "Q8_0"), ("Q4_K_M", "Q8_0"), ("Q4_0", "Q8_0"), ("Q3_K_M", "Q8_0"),
    ("Q8_0", "Q4_K_M"), ("Q4_0", "Q4_0"),
)  # fmt: skip
"""Encodings of the language model and of the projector."""
GROUPS = ("segment", "detect", "ground", "depth", "count")
COLUMNS = {
    "segment_all_miou": "mIoU", "detect_ap50": "AP50", "ground_acc50": "grounding@0.5", "depth_d1": "depth d1",
    "count_exact": "counts",
}  # fmt: skip


def encoded(path: Path, encoding: str, folder: Path) -> Path:
    """Return `path` in `encoding`; a copy if it already has it."""
    made = folder / f"{path.stem.removesuffix('-Q8_0')}-{encoding}.gguf"
    if encoding == "Q8_0":
        return Path(shutil.copy(path, made))
    return yg.weights.quantize(path, made, encoding).path


def holds(path: Path) -> str:
    """Return the encodings of a file's matrices by share of its bytes."""
    sizes: Counter[str] = Counter()
    for tensor in read_header(path).tensors.values():
        if len(tensor.shape) > 1:
            sizes[tensor.type.name] += tensor.n_bytes
    total = sum(sizes.values())
    return ", ".join(f"{name} {size / total:.0%}" for name, size in sizes.most_common() if size / total >= 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=count, default=300, help="scenes")
    args = parser.parse_args()
    model, projector = yg.weights.find("nano")
    print(f"| language model | projector | MB | {' | '.join(COLUMNS.values())} | language model holds |")
    print("|---|---|---|" + "---|" * (len(COLUMNS) + 1))
    for language, vision in ENCODINGS:
        with tempfile.TemporaryDirectory() as scratch:
            files = encoded(model, language, Path(scratch)), encoded(projector, vision, Path(scratch))
            with yg.load(*files, max_tokens=600) as loaded:
                figures = evaluate(loaded, args.n, groups=GROUPS).figures()
            cells = [f"{figures[name]:.3f}" for name in COLUMNS]
            size = sum(path.stat().st_size for path in files) / 1e6
            print(f"| {language} | {vision} | {size:.1f} | {' | '.join(cells)} | {holds(files[0])} |", flush=True)


if __name__ == "__main__":
    main()
