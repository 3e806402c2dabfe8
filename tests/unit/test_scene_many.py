"""Several questions at once, on engines that answer together and on one that answers in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.testing import FakeEngine, FakeSession

IMAGE = np.zeros((64, 64, 3), np.uint8)
BOX = "<box><x_0><y_0><x_32><y_32></box>"


def open_scene(answers: dict[str, str]) -> yg.Scene:
    return yg.load(engine=FakeEngine(answers)).open(IMAGE)


def test_results_come_in_the_order_of_the_questions_and_are_those_of_the_methods() -> None:
    scene = open_scene({"the cup": BOX, "colour": "It is red.", "Count": "3"})
    boxes, text, count, depthless = scene.many(
        [("ground", "the cup"), ("ask", "What colour?"), yg.Question("count", ("cups",)), ("detect", ["cat"])]
    )
    assert isinstance(boxes, yg.Boxes)
    assert boxes.xyxy.tolist() == scene.ground("the cup").xyxy.tolist()
    assert str(text) == "It is red."
    assert isinstance(count, yg.Count)
    assert count.value == scene.count("cups").value
    assert isinstance(depthless, yg.Boxes)
    assert len(depthless) == 0


def test_no_questions_have_no_results() -> None:
    assert open_scene({}).many([]) == ()


def test_a_stream_gives_pieces_then_the_result_of_each() -> None:
    updates = list(open_scene({"one": "a b c", "two": "d e"}).many([("ask", "one"), ("ask", "two")], stream=True))
    for index, words in ((0, "a b c"), (1, "d e")):
        own = [update for update in updates if update.index == index]
        assert "".join(update.text for update in own) == words
        assert [update.result is not None for update in own] == [False] * (len(own) - 1) + [True]


def test_one_error_leaves_the_other_questions_their_results() -> None:
    scene = open_scene({"one": "yes"})
    updates = {u.index: u for u in scene.many([("ask", "one"), ("refer", None, (0, 0, 0, 0))], stream=True)}
    assert str(updates[0].result) == "yes"
    assert isinstance(updates[1].error, yg.YoutuError)
    with pytest.raises(yg.YoutuError):
        scene.many([("ask", "one"), ("refer", None, (0, 0, 0, 0))])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("paint", "it"), "question 0: expected a task among ask, .* got 'paint'"),
        (("ask",), "question 0: the arguments do not fit the task ask: missing"),
        (("depth", "open", None, 1, (1, 1), 3.0), "do not fit the task depth: too many"),
        ("ask", "a question must be a tuple"),
        ((), "a question must be a tuple"),
        (yg.Question("ask", ("one",), {"max_token": 3}), "do not fit the task ask: got an unexpected keyword"),
        (yg.Question("ask", ("one",), {"max_tokens": 0}), "max_tokens must be a whole number of 1 or more; got 0"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_before_any_is(asked: object, message: str) -> None:
    scene = open_scene({})
    with pytest.raises(InputError, match=message):
        scene.many([asked, ("ask", "one")])  # type: ignore[list-item]
    assert scene.model.engine.questions == []  # type: ignore[attr-defined]


def test_any_iterable_of_questions_will_do_and_anything_else_is_refused() -> None:
    scene = open_scene({"one": "yes"})
    (text,) = scene.many(question for question in [("ask", "one")])
    assert str(text) == "yes"
    with pytest.raises(InputError, match="expected a list of questions; got None"):
        scene.many(None)  # type: ignore[call-overload]


@pytest.mark.parametrize(("arguments", "options"), [("one", {}), (("one",), None), (None, {})])
def test_a_question_is_made_of_a_tuple_and_a_mapping(arguments: object, options: object) -> None:
    with pytest.raises(InputError, match="a question takes a tuple of arguments and a mapping of options"):
        yg.Question("ask", arguments, options)  # type: ignore[arg-type]


def test_a_question_has_its_own_limits() -> None:
    scene = open_scene({"one": "a b c", "two": "d e f"})
    short, long = scene.many([yg.Question("ask", ("one",), {"max_tokens": 1}), ("ask", "two")])
    assert (str(short), short.finish) == ("a", "length")
    assert (str(long), long.finish) == ("d e f", "stop")


def test_a_caller_who_leaves_ends_every_question() -> None:
    before = threading.active_count()
    updates = open_scene({"one": "a b c"}).many([("ask", "one")] * 4, stream=True)
    assert isinstance(updates, Iterator)
    next(updates)
    updates.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


class BrokenSession(FakeSession):
    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        if "break" in question:
            yield Piece("half ", n_tokens=1)
            raise EngineError("the engine has stopped. Load it again.")
        yield from super().generate(question, sampling, cancel)


class BrokenEngine(FakeEngine):
    def open(self, prefix: Prefix) -> BrokenSession:
        return BrokenSession(self, prefix)


def test_an_engine_that_fails_in_one_answer_gives_its_error_there() -> None:
    scene = yg.load(engine=BrokenEngine({"fine": "yes"})).open(IMAGE)
    ends = {u.index: u for u in scene.many([("ask", "break"), ("ask", "fine")], stream=True) if not u.text}
    assert isinstance(ends[0].error, EngineError)
    assert str(ends[1].result) == "yes"


def test_a_bug_in_a_task_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = open_scene({})
    monkeypatch.setattr(scene, "perform", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene.many([("ask", "one")])


def test_arguments_are_those_of_the_moment_of_asking() -> None:
    scene = yg.load(engine=FakeEngine({"cup": BOX, "cat": BOX}, vocabulary={"<BG>": 1, "<FG>": 2})).open(IMAGE)
    classes, box = ["cup"], np.array([0.0, 0, 32, 32])
    updates = scene.many([("detect", classes), ("refer", None, box)], stream=True)
    kept = yg.Question("detect", (classes,))
    classes[0] = "dog"
    box[:] = -1
    results = {update.index: update.result for update in updates if not update.text}
    assert results[0].labels == ("cup",)  # type: ignore[union-attr]
    assert results[1] is not None  # a box outside the image would be an error
    assert kept.arguments == (["cup"],)
