"""Answers that are read from files: the lines of a run, or predictions.jsonl of any program."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.batch.journal import RESULTS
from youtu_gguf.batch.settings import SETTINGS
from youtu_gguf.evaluate.base import Benchmark, Data, Prediction, Preset
from youtu_gguf.evaluate.data.files import entry, inside, read_json, read_json_lines
from youtu_gguf.evaluate.describe import value_of

JSON_LINES = ".jsonl"

CHOSEN = "chosen.json"
"""What the last run in a folder was: its limit and seed, and the name of its model."""


@dataclass(frozen=True)
class Run:
    """What a run has answered.

    Attributes:
        said: The answers by the id of their sample; those that failed are left out.
        model: What is known about the model.
        seconds: How long answering took.
        reasons: Why others failed, and how many samples, or images where that was the reason, each time.
    """

    said: Mapping[str, Prediction]
    model: Any
    seconds: float
    reasons: Counter[str]


def is_run(path: Path) -> bool:
    """Whether a folder is one that an evaluation has written to."""
    return (path / SETTINGS).is_file() and (path / RESULTS).is_file()


def read_run(folder: Path) -> Run:
    """Return what a run has answered so far.

    Raises:
        InputError: Its files are missing or broken.
    """
    settings = read_json(folder / SETTINGS)
    said: dict[str, Prediction] = {}
    reasons: Counter[str] = Counter()
    seconds = 0.0
    path = folder / RESULTS
    for where, line in _whole_lines(path):
        seconds += entry(line, "seconds", float, where)
        if "error" in line:
            reasons[_reason(line, where)] += 1
            continue
        for number, result in enumerate(entry(line, "results", list, where)):
            place = f"{where}, results[{number}]"
            if not _take(said, result, folder, place):
                reasons[_reason(result, place)] += 1
    model = {name: settings.get(name) for name in ("model", "calibration", "options") if name in settings}
    model["name"] = entry(read_json(folder / CHOSEN), "model", (str, type(None)), str(folder / CHOSEN))
    return Run(said, model, round(seconds, 3), reasons)


def settings_of_run(folder: Path, benchmark: Benchmark, split: str) -> tuple[Preset, dict[str, Any]]:
    """Return the preset of a run and the values of its settings by name.

    Raises:
        InputError: It is a run of another benchmark or split.
    """
    path = folder / SETTINGS
    form = read_json(path)
    of = tuple(form.get(name) for name in ("benchmark", "split")) if isinstance(form, dict) else (None, None)
    if of != (benchmark.name, split):
        other = " ".join(map(str, of)) if all(of) else "something that is no evaluation"
        raise yg.InputError(f"expected a run of {benchmark.name} {split}; {folder} is one of {other}.")
    stored = entry(form, "settings", dict, str(path))
    preset: Preset = "fast" if form.get("preset") == "fast" else "report"
    names = [setting.name for setting in benchmark.settings]
    if sorted(stored) != sorted(names):
        raise yg.InputError(f"expected the settings {', '.join(names)} in {path}; got {', '.join(stored)}.")
    return preset, {setting.name: value_of(setting, stored[setting.name]) for setting in benchmark.settings}


def samples_of_run(folder: Path) -> tuple[int | None, int]:
    """Return the limit and the seed that the last run in a folder had.

    Raises:
        InputError: The file that says so is missing or broken.
    """
    path = folder / CHOSEN
    form = read_json(path)
    limit = entry(form, "limit", (int, type(None)), str(path))
    return limit, entry(form, "seed", int, str(path))


def read_predictions(path: Path, data: Data, where: str) -> Mapping[str, Prediction]:
    """Return the answers in a file of JSON lines, each with "id", "prediction" and, for pixels, "file".

    A line with "error" in place of "prediction" is an answer that is missing.

    Args:
        path: The file. Files of pixels are named from its folder.
        data: The samples that the answers are about.
        where: Benchmark and split, for messages.

    Raises:
        InputError: It is broken, or its answers are about other samples.
    """
    known = {sample.id for sample in data.samples}
    said: dict[str, Prediction] = {}
    failed: set[str] = set()
    for place, line in read_json_lines(path):
        name = entry(line, "id", str, place)
        if name not in known:
            raise yg.InputError(f"{place}: expected the id of a sample of {where}; got {name!r}.")
        if name in failed:
            raise yg.InputError(f"{place}: expected one answer for every sample; {name!r} has a second one.")
        if not _take(said, line, path.parent, place):
            failed.add(name)
    if not said and not failed:
        raise yg.InputError(f"expected answers in {path}; there are none.")
    return said


def _take(said: dict[str, Prediction], form: Any, folder: Path, where: str) -> bool:
    """Add an answer; return whether there was one.

    Raises:
        InputError: It is broken, or the second for its sample.
    """
    name = entry(form, "id", str, where)
    if name in said:
        raise yg.InputError(f"{where}: expected one answer for every sample; {name!r} has a second one.")
    if "error" in form:
        return False
    prediction = entry(form, "prediction", dict, where)
    if not _is_finite(prediction):
        raise yg.InputError(f"{where}: expected finite numbers in the answer to {name!r}; got NaN or an infinite one.")
    png = inside(folder, form["file"], where) if form.get("file") is not None else None
    said[name] = Prediction(prediction, png)
    return True


def _reason(form: Any, where: str) -> str:
    return entry(entry(form, "error", dict, where), "message", str, f"{where}, error")


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))


def _whole_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the place and the form of each line; a last one that a kill has cut off is left out.

    Raises:
        InputError: The file cannot be read, or a line is broken.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield f"{path}, line {number}", json.loads(line)
    except OSError as exc:
        raise yg.InputError(f"expected answers in {path}; got: {exc.strerror}. Run the evaluation first.") from exc
    except ValueError as exc:
        raise yg.InputError(f"{path}, line {number}: expected JSON; got: {exc}. Restart the evaluation.") from exc
