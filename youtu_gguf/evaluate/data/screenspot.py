"""ScreenSpot-Pro: instructions for screenshots of professional programs.

Source: github.com/likaixin2000/ScreenSpot-Pro-GUI-Grounding, eval_screenspot_pro.py for the fields and their meaning,
leaderboard_submission.ipynb for the names of the groups.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json
from youtu_gguf.evaluate.kinds.points import GROUPS, UI_TYPES, Target
from youtu_gguf.types import Size

_TEXTS = {"en": "instruction", "cn": "instruction_cn"}


def read_screenspot(folder: Path, split: str) -> Data:
    """Return a sample for every instruction, named FILE-INDEX, in the order of the files' names.

    Args:
        folder: Has `annotations/*.json`, lists of objects with "img_filename", "img_size", "bbox" (left, top, right,
            bottom in pixels), "instruction", "ui_type", and perhaps "instruction_cn" and "group"; and `images`, below
            which the images lie. A group that is not among `GROUPS` counts in the whole alone.
        split: The language of the instructions, "en" or "cn".

    Raises:
        InputError: A file is missing or broken, or lacks instructions in this language.
    """
    folder = data_folder(folder)
    paths = sorted((folder / "annotations").glob("*.json"))
    if not paths:
        raise InputError(f"expected {folder / 'annotations'} to hold files that end in .json; there are none.")
    return Data([sample for path in paths for sample in _samples(path, folder / "images", _TEXTS[split])], folder)


def _samples(path: Path, images: Path, text: str) -> list[Sample]:
    records = read_json(path)
    if not isinstance(records, list):
        raise InputError(f"{path}: expected a list of objects with instructions; got {type(records).__name__}.")
    return [_sample(record, f"{path}, [{i}]", f"{path.stem}-{i}", images, text) for i, record in enumerate(records)]


def _sample(record: Any, where: str, name: str, images: Path, text: str) -> Sample:
    image = inside(images, entry(record, "img_filename", str, where), where)
    width, height = _numbers(entry(record, "img_size", list, where), "img_size", 2, where)
    left, top, right, bottom = _numbers(entry(record, "bbox", list, where), "bbox", 4, where)
    if not 0 <= left <= right <= width or not 0 <= top <= bottom <= height:
        raise InputError(
            f"{where}: expected 'bbox' to be left, top, right, bottom in {width:g}x{height:g} pixels; "
            f"got {record['bbox']}."
        )
    told = [entry(record, "ui_type", str, where).lower()]
    if record.get("group") is not None:
        told.append(entry(record, "group", str, where).lower())
    tags = tuple(tag for tag in told if tag in (*GROUPS, *UI_TYPES))
    target = Target((left, top, right, bottom), Size(int(width), int(height)), tags, name.rpartition("-")[0])
    return Sample(name, image, {"instruction": entry(record, text, str, where)}, target, target.size)


def _numbers(values: list[Any], key: str, n: int, where: str) -> list[float]:
    """Return `n` numbers of a record."""
    if len(values) != n or not all(type(value) in (int, float) for value in values):
        raise InputError(f"{where}: expected {key!r} to be {n} numbers; got {str(values)[:60]}.")
    return [float(value) for value in values]
