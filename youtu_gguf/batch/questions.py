"""Questions in the settings of a run: as JSON that they are made of again, where only the results are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.batch.image import Asked


def question_to_json(asked: Asked) -> dict[str, Any]:
    """Return what data sets need of a question beside its words: the task and its arguments."""
    return {"task": asked.question.task, "arguments": {name: _plain(value) for name, value in asked.arguments.items()}}


def json_to_question(form: Mapping[str, Any], words: str) -> Asked:
    """Return the question that `question_to_json` made `form` of.

    Raises:
        KeyError: The form is another.
        InputError: Likewise.
    """
    return Asked(words, yg.Question(form["task"], (), form["arguments"]))


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_plain, value)]
    if isinstance(value, PathLike):
        return fspath(value)
    return value if isinstance(value, str | int | float | None) else repr(value)
