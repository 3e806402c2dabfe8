"""A class for every pixel, from the image tokens' states."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from youtu_gguf import prompts
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.dense import class_scores, label_map
from youtu_gguf.engines.base import Vocabulary
from youtu_gguf.errors import InputError
from youtu_gguf.tasks.base import View, class_names
from youtu_gguf.types import Issue, LabelMap

Present = Literal["model", "all"]
Refine = Literal["auto", "none"]


def segment(
    view: View,
    classes: Sequence[str],
    present: Present = "model",
    background: bool = False,
    refine: Refine = "auto",
) -> LabelMap:
    """Label every pixel with one of `classes`.

    Args:
        view: The scene.
        classes: Names to tell apart.
        present: "model" lets the model say which of them are there, as the reference does; "all" takes exactly
            `classes` and generates nothing.
        background: Whether pixels may belong to none of them.
        refine: "none", or "auto" for the best refinement available, which is none so far.
    """
    names = class_names(classes)
    _check_choice("present", present, get_args(Present))
    _check_choice("refine", refine, get_args(Refine))
    issues: tuple[Issue, ...] = ()
    if present == "model":
        found = parse_classes(view.answer(prompts.segment(names, background=background)).text)
        issues = (*found.issues, *_strangers(found.names, names))
        names = found.names
    if not names:
        nothing = np.full((view.transform.source.height, view.transform.source.width), -1, np.int32)
        return LabelMap(nothing, (), issues=(*issues, Issue("the answer names no class")))
    scores = class_scores(view.patches(), class_tokens(view.vocabulary, names, view.calibration.leading_space))
    ids = label_map(scores, view.transform.source, background=background, calibration=view.calibration)
    return LabelMap(ids, names, issues=issues)


def class_tokens(vocabulary: Vocabulary, names: Sequence[str], leading_space: bool) -> list[tuple[int, ...]]:
    """Return the token ids of every class name.

    Raises:
        InputError: A name tokenises to nothing.
    """
    tokens = [vocabulary.tokenize(f" {name}" if leading_space else name) for name in names]
    for name, ids in zip(names, tokens, strict=True):
        if not ids:
            raise InputError(f"a class name must have tokens in the model's vocabulary; {name!r} has none. Rename it.")
    return tokens


def _strangers(found: Sequence[str], asked: Sequence[str]) -> tuple[Issue, ...]:
    return tuple(Issue(f"the answer names {name!r}, which was not asked for") for name in found if name not in asked)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
