"""Conversations: what precedes each question, and what remains of a turn that did not end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.testing import FakeEngine, FakeSession

RGB = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
ANSWERS = {"who": "a red cat", "what": " it sleeps ", "why": "it is tired"}
STILL_EMPTY = ()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(ANSWERS)


@pytest.fixture
def scene(engine: FakeEngine) -> yg.Scene:
    return yg.load(engine=engine).open(RGB)


def said(prefix: Prefix) -> list[tuple[str, str]]:
    return [(turn.question, turn.answer) for turn in prefix.turns]


def test_each_question_follows_the_turns_before_it(scene: yg.Scene, engine: FakeEngine) -> None:
    chat = scene.chat()
    assert chat.ask("who?") == "a red cat"
    assert chat.ask("what?") == "it sleeps"
    assert chat.ask("why?") == "it is tired"
    assert [said(prefix) for prefix in engine.prefixes] == [
        [],
        [("who?", "a red cat")],
        [("who?", "a red cat"), ("what?", " it sleeps ")],
    ]
    assert [len(prefix.parts) for prefix in engine.prefixes] == [1, 0, 0]
    assert len({prefix.images for prefix in engine.prefixes}) == 1
    assert [turn.question for turn in chat.turns] == ["who?", "what?", "why?"]
    assert scene.ask("why?") == "it is tired"
    assert said(engine.prefixes[-1]) == []


def test_an_answer_is_a_text_like_any_other(scene: yg.Scene) -> None:
    answer = scene.chat().ask("what?", scores=True)
    assert isinstance(answer, yg.Text)
    assert (answer.raw, answer.finish, answer.issues) == (" it sleeps ", "stop", ())
    assert answer.score == pytest.approx(0.5)
    assert answer.timings.n_image_tokens == scene.grid.n_tokens
    assert answer.timings.n_generated == 4


def test_a_streamed_turn_is_kept_when_it_has_been_read(scene: yg.Scene) -> None:
    chat = scene.chat()
    stream = chat.ask("who?", stream=True)
    assert chat.turns == STILL_EMPTY
    assert "".join(stream) == "a red cat"
    assert stream.finish == "stop"
    assert chat.last == "a red cat" and chat.last.timings.n_generated == 3
    assert [turn.answer for turn in chat.turns] == ["a red cat"]


def test_a_conversation_without_an_image(engine: FakeEngine) -> None:
    chat = yg.load(engine=engine).chat(system="Be brief.")
    assert chat.ask("who?") == "a red cat"
    assert engine.prefixes[0].images == ()
    assert engine.prefixes[0].system == chat.system == "Be brief."


def test_a_conversation_about_several_images(engine: FakeEngine, tmp_path: Path) -> None:
    Image.fromarray(RGB[:32, :32]).save(tmp_path / "one.png")
    model = yg.load(engine=engine)
    chat = model.chat(RGB, str(tmp_path / "one.png"))
    chat.ask("who?")
    chat.attach(RGB[:64, :64])
    chat.ask("what?")
    assert [image.size for image in engine.prefixes[0].parts] == [(128, 64), (32, 32)]  # type: ignore[union-attr]
    assert [image.size for image in engine.prefixes[1].images] == [(128, 64), (32, 32), (64, 64)]
    assert [len(turn.images) for turn in chat.turns] == [2, 1]
    assert repr(chat) == "Chat(3 images, 2 turns)"


def test_a_turn_may_be_added_without_asking(scene: yg.Scene, engine: FakeEngine) -> None:
    chat = scene.chat()
    chat.add("Is there a cat?", "Yes.")
    assert engine.questions == []
    chat.ask("who?")
    assert said(engine.prefixes[0]) == [("Is there a cat?", "Yes.")]
    assert len(engine.prefixes[0].images) == 1
    for words in (("", "Yes."), ("Why?", " ")):
        with pytest.raises(yg.InputError, match="must be words"):
            chat.add(*words)
    assert len(chat.turns) == 2


def test_a_turn_that_did_not_end_leaves_the_conversation_as_it_was(scene: yg.Scene, engine: FakeEngine) -> None:
    chat = scene.chat()
    chat.ask("who?")
    before = chat.turns
    cancel = threading.Event()
    cancel.set()
    assert chat.ask("what?", cancel=cancel).finish == "cancelled"
    assert chat.last is not None and chat.last.finish == "cancelled"
    with chat.ask("what?", stream=True) as stream:
        next(stream)
    with pytest.raises(yg.DecodeError, match="token limit"):
        chat.ask("what?", max_tokens=1, strict=True)
    with pytest.raises(yg.InputError, match="unknown option"):
        chat.ask("what?", max_token=1)  # type: ignore[call-overload]
    assert chat.turns == before
    assert chat.ask("why?") == "it is tired"
    assert said(engine.prefixes[-1]) == [("who?", "a red cat")]


def test_an_answer_that_was_cut_short_belongs_to_the_conversation(scene: yg.Scene) -> None:
    chat = scene.chat()
    answer = chat.ask("who?", max_tokens=2)
    assert (answer, answer.finish) == ("a red", "length")
    assert "raise max_tokens" in answer.issues[0].message
    assert [turn.answer for turn in chat.turns] == ["a red "]


def test_a_conversation_answers_one_question_at_a_time(scene: yg.Scene) -> None:
    chat = scene.chat()
    stream = chat.ask("who?", stream=True)
    next(stream)
    for asked in (lambda: chat.ask("what?"), lambda: chat.add("a", "b"), lambda: chat.attach(RGB)):
        with pytest.raises(yg.InputError, match="one question at a time"):
            asked()
    stream.close()
    assert chat.ask("what?") == "it sleeps"


def test_a_closed_conversation_answers_no_more(scene: yg.Scene) -> None:
    with scene.chat() as chat:
        chat.ask("who?")
    chat.close()
    with pytest.raises(yg.EngineError, match="this conversation is closed"):
        chat.ask("what?")
    assert repr(chat) == "Chat(1 image, 1 turn, closed)"
    other = scene.chat()
    scene.close()
    with pytest.raises(yg.EngineError, match="this conversation is closed"):
        other.ask("what?")
    with pytest.raises(yg.EngineError, match="this scene is closed"):
        scene.chat()


class SmallEngine(FakeEngine):
    """Has room for two images."""

    def open(self, prefix: Prefix) -> FakeSession:
        if len(prefix.images) > 2:
            raise yg.InputError("the prompt does not fit.")
        return super().open(prefix)


def test_an_image_that_does_not_fit_is_not_attached() -> None:
    model = yg.load(engine=SmallEngine(ANSWERS))
    with pytest.raises(yg.InputError, match="does not fit"):
        model.chat(RGB, RGB, RGB)
    chat = model.chat(RGB)
    with pytest.raises(yg.InputError, match="does not fit"):
        chat.attach(RGB, RGB)
    with pytest.raises(yg.InputError, match="does not exist"):
        chat.attach("nowhere.png")
    assert chat.ask("who?") == "a red cat"
    assert [len(turn.images) for turn in chat.turns] == [1]


class FailingEngine(FakeEngine):
    """Fails in the middle of its first answer."""

    def open(self, prefix: Prefix) -> FakeSession:
        return FailingSession(self, prefix)


class FailingSession(FakeSession):
    def generate(self, question: str, *rest: object) -> Iterator[Piece]:
        for piece in super().generate(question, *rest):  # type: ignore[arg-type]
            yield piece
            if len(self._engine.questions) == 1:
                raise yg.EngineError("the network is gone.")


def test_a_turn_that_failed_can_be_asked_again() -> None:
    engine = FailingEngine(ANSWERS)
    chat = yg.load(engine=engine).chat()
    with pytest.raises(yg.EngineError, match="gone"):
        chat.ask("who?")
    assert chat.turns == STILL_EMPTY
    assert chat.ask("who?") == "a red cat"
    assert said(engine.prefixes[-1]) == []
