"""Conversations on the native engine: a turn costs its own tokens, and is answered as if all had been read at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR, Pair
from youtu_gguf.engines.base import collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.handles import SHORT, FullError
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import U8, Turn

QUESTIONS = ("Describe the picture.", "What is the largest object?", "Where is it?", "Is there a star?")
GREEDY: dict[str, Any] = {"temperature": 0.0, "max_tokens": 12}
BETWEEN_TURNS = 4
"""Tokens between an answer and the next question: a last token that was not decoded, and those of the template."""


def load_nano(**settings: Any) -> yg.Model:
    return yg.load("nano", **{"threads": 1, "n_ctx": 2048, **ON_PROCESSOR, **GREEDY, **settings})


def engine_of(model: yg.Model) -> NativeEngine:
    assert isinstance(model.engine, NativeEngine)
    return model.engine


def scene_rgb(number: int) -> U8:
    return draw(TEST_SEEDS + number, (256, 256)).rgb


@pytest.fixture(scope="module")
def loaded() -> Iterator[yg.Model]:
    with load_nano() as model:
        yield model


@pytest.fixture
def model(loaded: yg.Model) -> yg.Model:
    engine_of(loaded).clear()
    return loaded


def is_empty(engine: NativeEngine) -> bool:
    """Whether nothing is left in the context once everything is removed."""
    engine.clear()
    engine.prefixes.collect()
    return not engine.prefixes.n_positions and not engine.prefixes.n_prefixes


class Counts:
    """What an engine has computed since `clear`: decoded positions, and encoded images."""

    def __init__(self, engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.positions = self.images = 0
        decode, encode = engine.context.decode, engine.vision.encode

        def counted(batch: Any) -> bool:
            self.positions += batch.n_tokens
            return decode(batch)

        def seen(image: Any, **options: Any) -> Any:
            self.images += 1
            return encode(image, **options)

        monkeypatch.setattr(engine.context, "decode", counted)
        monkeypatch.setattr(engine.context, "pads", False)
        monkeypatch.setattr(engine.vision, "encode", seen)

    def clear(self) -> None:
        self.positions = self.images = 0


@pytest.fixture
def counts(model: yg.Model, monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(engine_of(model), monkeypatch)


def own_tokens(model: yg.Model, question: str, answer: yg.Text) -> int:
    """Return the most positions that a turn without an image may cost."""
    session = engine_of(model).open(Prefix())
    return BETWEEN_TURNS + len(session.tokens_of(question)) + answer.timings.n_generated


def at_once(model: yg.Model, turns: tuple[Turn, ...], question: str) -> str:
    """Return the answer to a question after earlier turns that are read as a whole."""
    engine_of(model).clear()
    session = engine_of(model).open(Prefix(turns=turns))
    return collect(session.generate(question, model.settings.sampling)).text


def test_a_turn_costs_its_own_tokens_only(model: yg.Model, counts: Counts) -> None:
    with model.open(scene_rgb(0)) as scene, scene.chat() as chat:
        scene.ask("Why?")
        for question in QUESTIONS:
            counts.clear()
            answer = chat.ask(question)
            assert 0 < counts.positions <= own_tokens(model, question, answer)
            assert counts.images == 0
            assert answer.timings.encode_s == 0


def test_the_words_that_a_turn_adds_are_not_decoded_again(model: yg.Model, counts: Counts) -> None:
    """The answer stays in the context: only the tokens between it and the next question are read before that."""
    chat = model.open(scene_rgb(0)).chat()
    "".join(chat.ask(QUESTIONS[0], stream=True, max_tokens=60))
    counts.clear()
    answer = chat.ask("Why?", max_tokens=1)
    assert counts.positions <= own_tokens(model, "Why?", answer)


def test_turns_are_answered_as_if_they_had_been_read_at_once(model: yg.Model) -> None:
    chat = model.chat(scene_rgb(0), scene_rgb(1))
    for question in QUESTIONS[:3]:
        chat.ask(question)
    chat.attach(scene_rgb(2))
    chat.ask("And this one?")
    chat.ask(QUESTIONS[3])
    with load_nano() as other:
        for n in range(1, len(chat.turns)):
            question, turns = chat.turns[n].question, chat.turns[:n]
            if not chat.turns[n].images:
                assert at_once(other, turns, question) == chat.turns[n].answer


def test_logits_and_states_of_a_continued_prefix_are_those_of_one_read_at_once() -> None:
    """To the last bit, with batches so short that llama.cpp rounds every token in the same way."""
    with load_nano(n_batch=SHORT) as model:
        chat = model.chat(scene_rgb(0), scene_rgb(1))
        chat.ask(QUESTIONS[0])
        chat.ask(QUESTIONS[1])
        chat.attach(scene_rgb(2))
        chat.ask(QUESTIONS[2])
        found = []
        for _ in range(2):
            session = engine_of(model).open(Prefix(turns=chat.turns))
            states = [session.patches(image=i) for i in range(3)]
            found.append([session.last_logits(QUESTIONS[3]), *(s.hidden for s in states), *(s.before for s in states)])
            engine_of(model).clear()
        assert all(np.array_equal(continued, whole) for continued, whole in zip(*found, strict=True))


def test_an_attached_image_is_all_that_is_read_besides(model: yg.Model, counts: Counts) -> None:
    chat = model.open(scene_rgb(0)).chat()
    chat.ask(QUESTIONS[0])
    chat.attach(scene_rgb(1))
    counts.clear()
    answer = chat.ask("And this one?")
    n_image = answer.timings.n_image_tokens // 2
    assert counts.images == 1
    assert counts.positions <= n_image + own_tokens(model, "And this one?", answer) + 4


def test_a_conversation_without_an_image(model: yg.Model, counts: Counts) -> None:
    chat = model.chat()
    first = chat.ask("What is a circle?")
    counts.clear()
    second = chat.ask("And a star?")
    assert counts.positions <= own_tokens(model, "And a star?", second)
    assert [turn.answer for turn in chat.turns] == [first.raw, second.raw]
    assert at_once(model, chat.turns[:1], "And a star?") == second.raw


def test_a_displaced_conversation_comes_back_without_being_decoded(model: yg.Model, counts: Counts) -> None:
    chats = [model.open(scene_rgb(i)).chat() for i in range(2)]
    for question in QUESTIONS[:3]:
        for chat in chats:
            counts.clear()
            answer = chat.ask(question)
            if len(chat.turns) > 1:
                assert counts.positions <= own_tokens(model, question, answer)
                assert counts.images == 0
    answers = [[turn.answer for turn in chat.turns] for chat in chats]
    engine_of(model).clear()
    again = model.open(scene_rgb(1)).chat()
    assert [again.ask(question).raw for question in QUESTIONS[:3]] == answers[1]


def test_nothing_that_is_kept_is_needed() -> None:
    with load_nano() as model, load_nano(cache_bytes=0) as without:
        told = []
        for one in (model, without):
            chat = one.open(scene_rgb(0)).chat()
            answers = [chat.ask(QUESTIONS[0]).raw]
            one.open(scene_rgb(1)).ask("Why?")
            engine_of(one).clear()
            told.append([*answers, chat.ask(QUESTIONS[1]).raw])
        assert told[0] == told[1]


def test_a_turn_that_was_cancelled_costs_the_next_nothing(model: yg.Model, counts: Counts) -> None:
    chat = model.open(scene_rgb(0)).chat()
    chat.ask(QUESTIONS[0])
    with chat.ask(QUESTIONS[1], stream=True) as stream:
        next(stream)
    cancel = threading.Event()
    cancel.set()
    chat.ask(QUESTIONS[1], cancel=cancel)
    counts.clear()
    answer = chat.ask(QUESTIONS[2])
    assert counts.positions <= own_tokens(model, QUESTIONS[2], answer)
    assert at_once(model, chat.turns[:1], QUESTIONS[2]) == answer.raw


def test_two_conversations_about_one_image_share_it(model: yg.Model, counts: Counts) -> None:
    scene = model.open(scene_rgb(0))
    chats = [scene.chat(), scene.chat()]
    answers: list[list[str]] = [[], []]
    for i, question in enumerate(QUESTIONS[:3]):
        for chat, told in zip(chats, answers, strict=True):
            told.append(chat.ask(question if chat is chats[0] else QUESTIONS[3 - i]).raw)
    assert counts.images == 1
    for chat, told in zip(chats, answers, strict=True):
        assert at_once(model, chat.turns[:2], chat.turns[2].question) == told[2]


def test_a_question_that_stands_alone_finds_the_image_of_a_conversation(model: yg.Model, counts: Counts) -> None:
    scene = model.open(scene_rgb(0))
    expected = scene.ask(QUESTIONS[0])
    chat = scene.chat()
    for question in QUESTIONS[:2]:
        chat.ask(question)
    prefixes = engine_of(model).prefixes
    root = prefixes.find(Prefix(scene.session().prefix.image()).key)
    assert root is not None
    prefixes.remove(root)
    counts.clear()
    assert scene.ask(QUESTIONS[0]) == expected
    assert counts.images == 0
    assert counts.positions < scene.grid.n_tokens + 30
    assert chat.ask(QUESTIONS[2]).finish in ("stop", "length")


def test_a_full_context_is_an_error_that_says_what_to_do() -> None:
    with load_nano(n_ctx=288) as model:
        chat = model.open(scene_rgb(0)).chat()
        with pytest.raises(yg.InputError, match=r"the prompt needs \d+ positions.*n_ctx=288.*begin another conv") as _:
            for _ in range(20):
                chat.ask("What is in the picture, and where is it, and why?", max_tokens=40)
        assert len(chat.turns) > 1
        before = chat.turns
        with pytest.raises(yg.InputError, match="begin another conversation"):
            chat.attach(scene_rgb(1))
        assert chat.turns == before
        other = model.open(scene_rgb(0)).chat()
        assert other.ask("Why?").finish in ("stop", "length")


def test_answers_whose_text_has_other_tokens_are_read_again(tiny_pair: Pair) -> None:
    """The random pair generates parts of characters, which its text replaces."""
    with yg.load(*tiny_pair, n_ctx=2048, threads=1, **ON_PROCESSOR, **GREEDY) as model:
        chat = model.chat(scene_rgb(0))
        for question in QUESTIONS:
            chat.ask(question)
        assert "\ufffd" in "".join(turn.answer for turn in chat.turns)
        session = engine_of(model).open(Prefix(turns=chat.turns))
        continued = session.last_logits("Why?")
        engine_of(model).clear()
        assert np.abs(continued - session.last_logits("Why?")).max() <= 0.1
        assert is_empty(engine_of(model))


def test_many_conversations_at_once_are_answered_as_one_after_the_other() -> None:
    def talk(model: yg.Model, number: int, told: dict[int, list[str]]) -> None:
        with model.open(scene_rgb(number % 3)) as scene, scene.chat() as chat:
            told[number] = [chat.ask(question).raw for question in QUESTIONS[: 2 + number % 2]]

    with load_nano(max_tokens=6) as model:
        alone: dict[int, list[str]] = {}
        together: dict[int, list[str]] = {}
        for number in range(10):
            talk(model, number, alone)
        engine_of(model).clear()
        threads = [threading.Thread(target=talk, args=(model, number, together)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert together.keys() == alone.keys()
        same = [together[n] == alone[n] for n in alone]
        assert sum(same) >= len(same) - 1  # equally likely tokens may fall either way (docs/architecture.md, Rounding)
        assert is_empty(engine_of(model))


def test_only_the_images_of_a_conversation_are_written_to_disk(tmp_path: Path) -> None:
    for _ in range(2):
        with load_nano(cache_dir=tmp_path) as model:
            chat = model.open(scene_rgb(0)).chat()
            answers = [chat.ask(question).raw for question in QUESTIONS[:2]]
            engine_of(model).clear()
            assert chat.ask(QUESTIONS[2]).raw == at_once(model, chat.turns[:2], QUESTIONS[2])
            assert len(answers) == len(list(tmp_path.iterdir())) + 1


def test_the_tokens_of_a_conversation_are_those_of_the_template(model: yg.Model) -> None:
    turns = [Turn(("What is it?",), "A circle."), Turn(("Where?",), "<box><x_1><y_2><x_3><y_4></box>")]
    session = engine_of(model).open(Prefix(turns=turns))
    assert isinstance(session, NativeSession)
    whole = (
        "<|begin_of_text|>system\nYou are a helpful assistant.<|end_of_text|>\n"
        "<|begin_of_text|>user\nWhat is it?<|end_of_text|>\n<|begin_of_text|>assistant\nA circle.<|end_of_text|>\n"
        "<|begin_of_text|>user\nWhere?<|end_of_text|>\n<|begin_of_text|>assistant\n"
        "<box><x_1><y_2><x_3><y_4></box><|end_of_text|>\n<|begin_of_text|>user\n\n Why?<|end_of_text|>\n"
        "<|begin_of_text|>assistant\n"
    )
    assert session.prompt_tokens("\n Why?") == [engine_of(model).model.tokenize(whole, special=True)]


def test_answers_that_fill_the_context_while_a_prefix_is_read_make_it_wait() -> None:
    with load_nano(n_ctx=300) as model:
        engine = engine_of(model)
        first, second = (model.open(scene_rgb(number)) for number in range(2))
        expected = [scene.ask("Why?").raw for scene in (first, second)]
        decode, grown = engine.context.decode_states, threading.Event()

        def grow(*arguments: Any) -> Any:
            """Take the room that is reserved, in the middle of the reading, as answers of others may."""
            if not grown.is_set():
                grown.set()
                raise FullError("full")
            return decode(*arguments)

        engine.context.decode_states = grow  # type: ignore[method-assign]
        engine.clear()
        with pytest.raises(FullError):  # no answer is in progress, whose end could make room
            second.ask("Why?")
        grown.clear()
        engine.context.decode_states = decode  # type: ignore[method-assign]
        stream = first.ask("Why?", stream=True)
        told = [next(stream)]
        engine.context.decode_states = grow  # type: ignore[method-assign]
        answers: list[str] = []
        waiting = threading.Thread(target=lambda: answers.append(second.ask("Why?").raw))
        waiting.start()
        assert grown.wait(60)
        told += stream
        waiting.join(60)
        assert ["".join(told), *answers] == expected
