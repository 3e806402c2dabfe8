"""A benchmark for tests: how many squares there are, and which pixels are dark, in images of one grey level each.

A data set is a folder with images/N.png and squares.json, [{"id", "image", "n"}].
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.evaluate import Benchmark, Data, Figure, Measure, Prediction, Sample, Setting
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json
from youtu_gguf.evaluate.mean import Mean


@dataclass(frozen=True)
class Squares:
    """Asks for a number; its pixels are a PNG of one pixel with that number."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (Figure("right", "Accuracy"), Figure("off", "Mean error", is_share=False, lower_is_better=True))

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        assert sample.truth is None, "the truth must not be looked at"
        answer = scene.ask(f"{sample.asked['question']} {options['words']}", max_tokens=4)
        digits = "".join(character for character in answer if character.isdigit())
        n = int(digits[:2] or "0") or (scene.size.width * scene.size.height + len(sample.id)) % 5
        return said(n)

    def perfect(self, sample: Sample) -> Prediction:
        return said(sample.truth)

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:
        return Mean(_judge)

    def baselines(self, data: Data, options: Mapping[str, Any]) -> Mapping[str, Callable[[Sample], Prediction]]:
        counts = np.bincount([sample.truth for sample in data.samples])
        return {f"always {counts.argmax()}": lambda _sample: said(int(counts.argmax()))}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        return {name: said(n) for name, n in entry(read_json(path), "counts", dict, str(path)).items()}


def said(n: int) -> Prediction:
    file = io.BytesIO()
    Image.fromarray(np.full((1, 1), n, np.uint8)).save(file, "PNG")
    return Prediction({"n": n}, file.getvalue())


def _judge(sample: Sample, answer: Prediction | None) -> Mapping[str, float]:
    if answer is None:
        return {"right": 0.0, "off": float("nan")}
    n = entry(answer.form, "n", int, "prediction")
    if answer.png is not None:
        with Image.open(io.BytesIO(answer.read_png())) as image:
            assert image.getpixel((0, 0)) == n
    return {"right": float(n == sample.truth), "off": abs(n - sample.truth)}


def _read(folder: Path, split: str) -> Data:
    folder = data_folder(folder)
    path = folder / "squares.json"
    first = {"all": "", "few": "few", "none": "none"}[split]
    records = [record for record in read_json(path) if record["id"].startswith(first)]
    samples = [
        Sample(
            entry(record, "id", str, str(path)),
            inside(folder, record["image"], str(path)),
            {"question": "How many squares are there?"},
            entry(record, "n", int, str(path)),
        )
        for record in records
    ]
    return Data(samples, folder)


def _words(text: str) -> str:
    if not text.isalpha():
        raise yg.InputError(f"expected a word; got {text!r}.")
    return text


SQUARES = Benchmark(
    name="squares",
    title="Squares",
    layout="squares.json, images/\nDrawn by a test.",
    splits=("all", "few", "none"),
    settings=(
        Setting("words", "Count", "Guess", "our guess", "Words after the question.", _words),
        Setting("metric", "exact", "exact", "as published", "How numbers are compared."),
    ),
    kind=Squares(),
    read=_read,
    published={"all": {"right": 0.9}},
)


def write_squares(folder: Path, n: int = 6, each: int = 2) -> Path:
    """Write a data set with `n` images and `each` samples of each; the truth of sample i is i modulo 4."""
    (folder / "images").mkdir(parents=True)
    records = []
    for i in range(n):
        Image.new("RGB", (40 + 8 * i, 48), (30 * i % 255, 90, 200)).save(folder / "images" / f"{i}.png")
        for k in range(each):
            records.append({"id": f"{'few' if i < 2 else 'many'}/{i}/{k}", "image": f"images/{i}.png", "n": i % 4})
    (folder / "squares.json").write_text(json.dumps(records), encoding="utf-8")
    return folder
