"""What a result says that it took, what a run reports, and what a model has done: on an engine without a network."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.engines.base import Answer, Collector, Piece, PromptCost
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import Counts

RGB = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
N_IMAGE = 6
N_SYSTEM = len(DEFAULT_SYSTEM.split())
N_PREFIX = N_SYSTEM + N_IMAGE
ANSWERS = {"Who": "a red cat", "Why": "it is tired", "dog": "<ref>dog</ref><box><x_1><y_1><x_9><y_9></box>"}
Step = tuple[str, int, int]


@pytest.fixture
def model() -> yg.Model:
    return yg.load(engine=FakeEngine(ANSWERS, head=np.ones((2, 3), np.float32), vocabulary={"a": 0, "b": 1}))


def tokens(result: yg.Result) -> tuple[int, int]:
    return result.timings.n_prompt, result.timings.n_cached


def test_the_second_question_about_an_image_finds_what_precedes_it(model: yg.Model) -> None:
    scene = model.open(RGB)
    assert tokens(scene.ask("Who is it?")) == (N_PREFIX + 3, 0)
    assert tokens(scene.ask("Why?")) == (N_PREFIX + 1, N_PREFIX)
    assert tokens(model.open(RGB.copy()).ask("Why?")) == (N_PREFIX + 1, N_PREFIX)
    assert tokens(model.open(255 - RGB).ask("Why?")) == (N_PREFIX + 1, 0)


def test_of_questions_asked_together_one_pays(model: yg.Model) -> None:
    results = model.open(RGB).many([("ask", "Who is it?"), ("ask", "Why?"), ("describe",)])
    assert sum(n_cached == 0 for _, n_cached in map(tokens, results)) == 1
    assert [n_cached for _, n_cached in map(tokens, results)][1:] == [N_PREFIX] * 2


def test_a_map_counts_what_precedes_its_question_once(model: yg.Model) -> None:
    scene = model.open(RGB)
    assert tokens(scene.segment(["a", "b"], present="all")) == (N_PREFIX, 0)
    assert tokens(scene.segment(["a", "b"], present="all")) == (N_PREFIX, N_PREFIX)
    asked = scene.segment(["a", "b"])
    assert asked.timings.n_cached == N_PREFIX
    assert asked.timings.n_prompt < 2 * N_PREFIX + 40
    assert scene.patches().prompt == PromptCost(N_PREFIX, N_PREFIX)


def test_a_turn_counts_the_turns_before_it(model: yg.Model) -> None:
    chat = model.open(RGB).chat()
    assert tokens(chat.ask("Who is it?")) == (N_PREFIX + 3, 0)
    answer = chat.ask("Why?")
    assert tokens(answer) == (N_PREFIX + 3 + 3 + 1, N_PREFIX + 3 + 3)
    assert list(chat.ask("Why?", stream=True)) == ["it ", "is ", "tired"]
    assert chat.last is not None and tokens(chat.last)[1] == N_PREFIX + 6 + 1 + 3


def test_the_cost_of_an_answer_does_not_make_it_another() -> None:
    collector = Collector()
    collector.add(Piece("a", n_tokens=1))
    collector.add(Piece("", finish="stop", prompt=PromptCost(7, 3)))
    assert collector.answer().prompt == PromptCost(7, 3)
    assert collector.answer() == Answer("a", "stop", 1)
    assert PromptCost(1, 1, 0.5) + PromptCost(2, 0, 0.25, 1.0, 2.0) == PromptCost(3, 1, 0.75, 1.0, 2.0)


def ways(scene: yg.Scene) -> dict[str, Any]:
    return {
        "task": lambda **options: scene.ask("Who?", **options),
        "stream": lambda **options: "".join(scene.ask("Who?", stream=True, **options)),
        "many": lambda **options: scene.many([("ask", "Who?")], **options),
        "own": lambda **options: scene.many([yg.Question("ask", ("Who?",), options)]),
        "chat": lambda **options: scene.chat().ask("Who?", **options),
        "streamed chat": lambda **options: "".join(scene.chat().ask("Who?", stream=True, **options)),
    }


@pytest.mark.parametrize("way", ways(yg.load(engine=FakeEngine()).open(RGB)))
def test_a_listener_hears_of_its_run_alone(model: yg.Model, way: str) -> None:
    heard: list[Step] = []
    scene = model.open(RGB)
    ways(scene)[way](progress=lambda *step: heard.append(step))
    generated = [("generate", n, 12_280) for n in (1, 2, 3, 3)]
    assert heard == [("prefill", 0, N_PREFIX), ("prefill", N_PREFIX, N_PREFIX), *generated]
    scene.ask("Why?")
    assert len(heard) == 6


def test_listeners_of_questions_asked_together_hear_of_their_own(model: yg.Model) -> None:
    heard: dict[str, list[Step]] = {"Who?": [], "Why?": []}

    def question(words: str) -> yg.Question:
        return yg.Question("ask", (words,), {"progress": lambda *step: heard[words].append(step), "max_tokens": 2})

    model.open(RGB).many([question("Who?"), question("Why?"), ("describe",)], max_tokens=9)
    assert [step for step in heard["Why?"] if step[0] == "generate"] == [("generate", n, 2) for n in (1, 2, 2)]
    assert [stage for stage, *_ in heard["Who?"]][:2] == ["prefill", "prefill"]
    assert all(stage == "generate" for stage, *_ in heard["Why?"])


def test_a_task_of_many_steps_tells_both_listeners() -> None:
    loaded: list[Step] = []
    own: list[Step] = []
    engine = FakeEngine(ANSWERS, head=np.ones((2, 3), np.float32), vocabulary={"<BG>": 0, "<FG>": 1})
    model = yg.load(engine=engine, progress=lambda *step: loaded.append(step))
    model.open(RGB).instances(["dog"], progress=lambda *step: own.append(step))
    masked = [("instances", 0, 1), ("instances", 1, 1)]
    assert [step for step in own if step[0] == "instances"] == masked == loaded
    assert ("prefill", 0, N_PREFIX) in own


class GoneError(Exception):
    pass


@pytest.mark.parametrize("way", ways(yg.load(engine=FakeEngine()).open(RGB)))
def test_what_a_listener_raises_ends_its_run(model: yg.Model, way: str) -> None:
    scene, before = model.open(RGB), threading.active_count()

    def leave(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("generate", 2):
            raise GoneError

    with pytest.raises(GoneError):
        ways(scene)[way](progress=leave)
    assert threading.active_count() == before
    assert scene.ask("Who?") == "a red cat"


def test_a_model_counts_what_it_has_done(model: yg.Model) -> None:
    assert model.counts() == Counts()
    scene = model.open(RGB)
    scene.ask("Who is it?")
    scene.ask("Why?")
    counts = model.counts()
    assert (counts.generated_tokens, counts.image_tokens, counts.decodes) == (6, N_IMAGE, 1 + 6)
    assert counts.prefixes == {"context": 1, "memory": 0, "disk": 0, "none": 1}
    with pytest.raises(TypeError):
        counts.prefixes["none"] = 3  # type: ignore[index]


def test_a_conversation_about_a_scene_reads_what_its_questions_read(model: yg.Model) -> None:
    assert isinstance(model.engine, FakeEngine)
    scene = model.open(RGB)
    scene.ask("Who?")
    for chat in (scene.chat(), model.chat(scene), model.chat()):
        if "0 images" in repr(chat):
            chat.attach(scene)
        assert tokens(chat.ask("Why?")) == (N_PREFIX + 1, N_PREFIX)
    assert len({prefix.key for prefix in model.engine.prefixes}) == 1
    assert all(prefix.images == (scene.prepared,) for prefix in model.engine.prefixes)


def test_words_may_stand_before_and_between_images(model: yg.Model) -> None:
    assert isinstance(model.engine, FakeEngine)
    first, second = model.open(RGB), model.open(255 - RGB).zoomed(2)
    chat = model.chat()
    for number, image in enumerate((first, second, RGB), start=1):
        chat.attach_text(f"Image {number}: ")
        chat.attach(image)
    chat.ask("Who?")
    (prefix,) = model.engine.prefixes
    words = [part if isinstance(part, str) else part.size for part in prefix.parts]
    assert words == ["Image 1: ", (96, 64), "Image 2: ", (192, 128), "Image 3: ", (96, 64)]
    assert repr(chat) == "Chat(3 images, 1 turn)"
    assert chat.turns[0].question == "Image 1: Image 2: Image 3: Who?"
    chat.attach_text("Listen. ")
    chat.add("Why?", "So.")
    assert chat.turns[1].parts == ("Listen. ", "Why?")
    with pytest.raises(yg.InputError, match="the text must be words"):
        chat.attach_text(" \n")


class NarrowEngine(FakeEngine):
    """Has room for ten words."""

    def open(self, prefix: Prefix) -> Any:
        if sum(len(text.split()) for text in prefix.texts) > 10 + N_SYSTEM:
            raise yg.InputError("the prompt does not fit.")
        return super().open(prefix)


def test_words_that_do_not_fit_are_not_attached() -> None:
    chat = yg.load(engine=NarrowEngine(ANSWERS)).chat()
    with pytest.raises(yg.InputError, match="does not fit"):
        chat.attach_text("on and " * 9)
    assert chat.ask("Who?") == "a red cat"
    assert chat.turns[0].parts == ("Who?",)
