"""Data sets of questions that are answered by a number: TallyQA and CountBench."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json, read_json_lines
from youtu_gguf.evaluate.kinds.numbers import QUESTION

_TALLYQA = "test.json"
_COUNTBENCH = "metadata.jsonl"


def read_tallyqa(folder: Path, split: str) -> Data:
    """Return the simple or the complex questions of TallyQA's test set, named by their `question_id`.

    Where a `question_id` occurs again its question is called "ID-2", and so on.

    Args:
        folder: Has `test.json`, and the folders of images that this names, such as `VG_100K_2`.
        split: "simple" or "complex", as the field `issimple` says.

    Raises:
        InputError: A file is missing or broken.

    Source: github.com/manoja328/TallyQA_dataset, README.md.
    """
    folder = data_folder(folder)
    path = folder / _TALLYQA
    rows = read_json(path)
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list of questions; got {type(rows).__name__}.")
    found = []
    for number, row in enumerate(rows):
        where = f"{path}, [{number}]"
        if entry(row, "issimple", bool, where) == (split == "simple"):
            name = str(entry(row, "question_id", (int, str), where))
            found.append(_sample(folder, name, row, ("image", "answer"), where))
    return _data(folder, found, f"{path}: expected {split} questions; there are none.")


def read_countbench(folder: Path, _split: str = "test") -> Data:
    """Return the questions of CountBench, named by their `index`, or where that is missing by the place of their line.

    Args:
        folder: Has `metadata.jsonl`: on each line the `file_name` of an image, the `question` about it and the `number`
            that answers it. That is the data sets library's "ImageFolder"; scripts/unpack_countbench.py makes it of the
            published files.

    Raises:
        InputError: A file is missing or broken.

    Source: google-research/big_vision, big_vision/datasets/countbenchqa/countbenchqa.py, for fields and questions.
    """
    folder = data_folder(folder)
    path = folder / _COUNTBENCH
    found = []
    for number, (where, row) in enumerate(read_json_lines(path)):
        name = str(entry(row, "index", (int, str), where)) if isinstance(row, dict) and "index" in row else str(number)
        found.append(_sample(folder, name, row, ("file_name", "number"), where))
    return _data(folder, found, f"{path}: expected questions; there are none.")


def _sample(folder: Path, name: str, row: Any, keys: tuple[str, str], where: str) -> Sample:
    image_key, number_key = keys
    number = entry(row, number_key, int, where)
    if number < 0:
        raise InputError(f"{where}: expected {number_key!r} to be 0 or more; got {number}.")
    question = entry(row, "question", str, where)
    if not question.strip():
        raise InputError(f"{where}: expected a question; got {question!r}.")
    image = inside(folder, entry(row, image_key, str, where), where)
    return Sample(name, image, {QUESTION: question}, number)


def _data(folder: Path, samples: Iterable[Sample], none: str) -> Data:
    """Return the samples under names that are unique."""
    times: dict[str, int] = {}
    found = []
    for sample in samples:
        times[sample.id] = times.get(sample.id, 0) + 1
        again = times[sample.id]
        name = sample.id if again == 1 else f"{sample.id}-{again}"
        found.append(Sample(name, sample.image, sample.asked, sample.truth))
    if not found:
        raise InputError(none)
    return Data(found, folder)
