"""What tasks make of the probabilities a view gives them, and that they give no scores where it gives none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf import tasks
from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.dense import class_scores, label_margin
from youtu_gguf.engines.base import Answer, PatchStates, TokenScore
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.prompts import ENGLISH
from youtu_gguf.tasks.base import TaskContext
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import U8, PreparedImage, Size, Transform

IMAGE = np.zeros((64, 128, 3), np.uint8)
IMAGE[:, 64:] = (255, 0, 0)
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
UNSURE = {"<x_32>": 0.5, "<x_64>": 0.25, "red": 0.6, "3": 0.7}


class ScoredView:
    """A view with one answer for every question, whose tags and words are a token each; all but `UNSURE` are sure."""

    rgb: U8 = IMAGE
    transform = Transform(Size(128, 64), Size(128, 64))
    calibration: Calibration = DEFAULT
    vocabulary = FakeEngine(head=HEAD, vocabulary={"red": 1, "black": 2})

    def __init__(self, text: str, *, scores: bool) -> None:
        self.scores = scores
        self._answer = Answer(text, "stop", 0)
        if scores:
            words = re.finditer(r"</?\w+>|\w+|[^<\w]+", text)
            tokens = tuple(TokenScore(*match.span(), UNSURE.get(match[0], 1.0)) for match in words)
            self._answer = Answer(text, "stop", len(tokens), tokens=tokens)

    wording = ENGLISH
    focal_px = None
    max_tokens = 2048
    stopped = None

    def report(self, stage: str, done: int, total: int) -> None:
        pass

    def answer(self, question: str, system: str = DEFAULT_SYSTEM) -> Answer:
        return self._answer

    def require_states(self, what: str) -> None:
        pass

    def require_tokens(self, tokens: Sequence[str], task: str) -> None:
        pass

    def patches(self, before: str = "") -> PatchStates:
        return self.vocabulary.open(Prefix(before, PreparedImage(IMAGE))).patches()

    def open_crop(self, rgb: U8) -> AbstractContextManager[TaskContext]:
        raise NotImplementedError

    def zoomed(self, zoom: float) -> AbstractContextManager[TaskContext]:
        return nullcontext(self)


BOX = "<box><x_32><y_32><x_64><y_64></box>"
BROKEN = "<box><x_32><y_32></box>"
JOINTS = "<kpt><x_1><y_1></kpt>" * 16
POLY = "<poly><x_32><y_1><x_1><y_2><x_3><y_3></poly>"
MEAN = ((0.6 * 0.125) ** (1 / 5) + 0.6 ** (1 / 5)) / 2
NAMES = "include <ref>black</ref><ref>red</ref>, numbered"


def run(task: str, text: str, *arguments: object, scores: bool = True) -> yg.Result:
    return tasks.TASKS[task].run(ScoredView(text, scores=scores), *arguments)


@pytest.mark.parametrize(
    ("task", "text", "arguments", "expected"),
    [
        ("ground", BROKEN + BOX, ("the cup",), [0.125 ** (1 / 4)]),
        ("detect", f"<ref>red</ref>{BOX}", (None,), [(0.6 * 0.125) ** (1 / 5)]),
        ("polygon", f"<ins>{BROKEN}{POLY}</ins>", ("the cup",), [0.5 ** (1 / 6)]),
        ("pose", f"<person>{BOX}{JOINTS}</person>", (), [0.125 ** (1 / 36)]),
        ("segment", NAMES, (["black", "red"],), [1, 0.6]),
    ],
)
def test_items_are_scored_where_scores_are_wanted_and_only_there(
    task: str, text: str, arguments: tuple[object, ...], expected: list[float]
) -> None:
    assert run(task, text, *arguments).scores == pytest.approx(expected)  # type: ignore[attr-defined]
    assert run(task, text, *arguments, scores=False).scores is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("task", "text", "arguments", "expected"),
    [
        ("count", "There are 3", ("cups",), 0.7),
        ("count", "a few", ("cups",), None),
        ("count", f"<ref>red</ref>{BOX}<box><x_1><y_1><x_2><y_2></box>", ("red", "detection"), MEAN),
        ("count", f"<ref>black</ref>{BOX}", ("red", "detection"), None),
        ("reason", "red", ("what",), 0.6),
        ("ask", "red", ("what",), 0.6),
        ("classify", "3 red", (), (0.7 * 0.6) ** (1 / 3)),
        ("describe", "", (), None),
    ],
)
def test_answers_in_words_are_scored_where_scores_are_wanted_and_only_there(
    task: str, text: str, arguments: tuple[object, ...], expected: float | None
) -> None:
    assert run(task, text, *arguments).score == pytest.approx(expected)  # type: ignore[attr-defined]
    assert run(task, text, *arguments, scores=False).score is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(("background", "refine"), [(False, "none"), (False, "guided"), (True, "auto")])
def test_a_label_map_has_the_margin_of_its_scores_before_refinement(background: bool, refine: str) -> None:
    labels = run("segment", "", ["black", "red"], "all", background, refine)
    assert isinstance(labels, yg.LabelMap)
    grid = class_scores(ScoredView("", scores=True).patches(), [[2], [1]])
    assert np.array_equal(labels.margin, label_margin(grid, Size(128, 64), background=background))
    assert labels.scores is None  # nothing was generated


def test_a_label_map_has_no_margin_where_none_is_wanted() -> None:
    labels = run("segment", NAMES, ["black", "red"], "model", False, "none", scores=False)
    assert isinstance(labels, yg.LabelMap)
    assert labels.margin is None


def test_nothing_found_has_no_items_to_score() -> None:
    assert run("ground", "none", "the cup").scores == pytest.approx([])  # type: ignore[attr-defined]
    labels = run("segment", "none", ["red"])
    assert isinstance(labels, yg.LabelMap)
    assert labels.scores == pytest.approx([])
    assert labels.margin is None


def test_scores_reach_the_value_from_the_engine_and_only_when_asked_for() -> None:
    engine = FakeEngine({"the cup": "<box><x_0><y_0><x_32><y_32></box>"}, probability=0.25)
    scene = yg.load(engine=engine).open(np.zeros((64, 64, 3), np.uint8))
    scored = scene.ground("the cup", scores=True).scores
    assert scored is not None
    assert scored.tolist() == [0.25]
    assert scene.ground("the cup").scores is None
