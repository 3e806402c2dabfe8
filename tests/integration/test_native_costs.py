"""What results say that they took on the native engine: tokens, seconds and progress of one run, and counts of all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.conftest import ON_PROCESSOR
from tests.decodes import PATIENCE_S
from tests.engine_contract import picture
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.prefix import Prefix

GREEDY: dict[str, Any] = {"temperature": 0.0, "max_tokens": 8, "loop_guard": False}
RGB, OTHER, THIRD = (picture(seed, 192, 256).rgb for seed in (1, 2, 3))
N_IMAGE = 48


def load_nano(**settings: Any) -> yg.Model:
    return yg.load("nano", **{"threads": 1, "n_ctx": 1024, **ON_PROCESSOR, **GREEDY, **settings})


@pytest.fixture
def model() -> Iterator[yg.Model]:
    with load_nano() as model:
        yield model


def native(scene: yg.Scene) -> NativeSession:
    session = scene.session()
    assert isinstance(session, NativeSession)
    return session


def n_prompt(scene: yg.Scene, question: str) -> int:
    return native(scene).length + len(native(scene).tokens_of(question))


def test_a_first_question_reads_everything_and_a_second_the_question(model: yg.Model) -> None:
    scene = model.open(RGB)
    first = scene.ask("What is in the picture?").timings
    assert (first.n_prompt, first.n_cached) == (n_prompt(scene, "What is in the picture?"), 0)
    assert min(first.encode_s, first.prefill_s, first.generate_s) > 0
    second = model.open(RGB.copy()).ask("Why is that so?").timings
    assert second.n_prompt == n_prompt(scene, "Why is that so?")
    assert second.n_cached >= native(scene).length
    assert second.encode_s == second.prefill_s == 0


def test_what_questions_share_counts_as_known(model: yg.Model) -> None:
    scene = model.open(RGB)
    scene.ask("What is the thing in the middle of the picture?")
    again = scene.ask("What is the thing in the middle of the picture?").timings
    assert again.n_cached == again.n_prompt - 1


def test_an_image_that_left_the_context_comes_back_from_memory(model: yg.Model) -> None:
    first, second = model.open(RGB), model.open(OTHER)
    first.ask("Why?")
    second.ask("Why?")
    again = first.ask("Why not?").timings
    assert (again.n_cached >= native(first).length, again.encode_s) == (True, 0)
    assert again.prefill_s < 0.05
    assert model.counts().prefixes == {"context": 0, "memory": 1, "disk": 0, "none": 2}


def test_an_image_of_an_earlier_process_comes_from_disk(tmp_path: Path) -> None:
    with load_nano(cache_dir=tmp_path) as model:
        model.open(RGB).ask("Why?")
        assert model.counts().prefixes["none"] == 1
    with load_nano(cache_dir=tmp_path) as model:
        scene = model.open(RGB)
        assert scene.ask("Why?").timings.n_cached >= native(scene).length
        assert scene.patches().prompt.n_cached == native(scene).length
        assert model.counts().prefixes == {"context": 1, "memory": 0, "disk": 1, "none": 0}


def test_maps_count_what_they_read(model: yg.Model) -> None:
    scene = model.open(RGB)
    first = scene.depth().timings
    assert (first.n_prompt, first.n_cached) == (native(scene).length, 0)
    assert scene.depth().timings.n_cached == native(scene).length
    referred = scene.refer(box=(10, 10, 90, 90), crop_size=64).timings
    assert (referred.n_prompt > N_IMAGE / 8, referred.n_cached) == (True, 0)


def test_a_turn_counts_its_own_tokens_as_new(model: yg.Model) -> None:
    chat = model.open(RGB).chat()
    first = chat.ask("What is in the picture?").timings
    second = chat.ask("Why?").timings
    assert second.n_prompt > first.n_prompt + first.n_generated
    assert second.n_cached >= first.n_prompt
    counts = model.counts()
    assert counts.prefixes == {"context": 1, "memory": 0, "disk": 0, "none": 1}
    assert counts.generated_tokens == first.n_generated + second.n_generated
    assert counts.image_tokens == N_IMAGE


def test_of_threads_that_need_one_image_one_pays(model: yg.Model) -> None:
    answers: list[yg.Text] = []
    ready = threading.Barrier(4)

    def ask(i: int) -> None:
        ready.wait(PATIENCE_S)
        answers.append(model.open(RGB).ask(f"What is thing {i}?"))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    paid = sorted(answers, key=lambda answer: -answer.timings.encode_s)
    length = native(model.open(RGB)).length
    assert paid[0].timings.encode_s > 0
    for answer in paid[1:]:
        assert answer.timings.encode_s == answer.timings.prefill_s == 0
        assert answer.timings.n_cached >= length
    counts = model.counts()
    assert counts.image_tokens == N_IMAGE
    assert counts.encode_s == pytest.approx(paid[0].timings.encode_s)
    assert sum(counts.prefixes.values()) == 4


def test_of_questions_asked_together_one_pays_and_the_others_wait(model: yg.Model) -> None:
    first, second = (result.timings for result in model.open(RGB).many([("ask", "Why?"), ("ask", "Why not?")]))
    assert first.encode_s > 0
    assert (second.encode_s, second.prefill_s) == (0, 0)
    assert second.wait_s > 0.9 * (first.encode_s + first.prefill_s)


def test_a_cancelled_reading_says_what_it_took(model: yg.Model) -> None:
    cancel = threading.Event()

    def stop(stage: str, _done: int, _total: int) -> None:
        if stage == "prefill":
            cancel.set()

    answer = model.open(RGB).ask("Why?", cancel=cancel, progress=stop)
    assert (answer.finish, answer.timings.n_prompt) == ("cancelled", 0)
    assert answer.timings.encode_s > 0


def test_a_listener_hears_what_its_thread_does(model: yg.Model) -> None:
    heard: dict[str, list[tuple[str, int]]] = {"a": [], "b": []}
    ready = threading.Barrier(2)

    def ask(name: str) -> None:
        def listen(stage: str, _done: int, _total: int) -> None:
            heard[name].append((stage, threading.get_ident()))

        ready.wait(PATIENCE_S)
        model.open(RGB).ask("What is it?", progress=listen)
        assert {thread for _, thread in heard[name]} == {threading.get_ident()}

    threads = [threading.Thread(target=ask, args=(name,)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    readers = [name for name, steps in heard.items() if "encode" in (stage for stage, _ in steps)]
    assert len(readers) == 1
    assert all(steps[-1][0] == "generate" for steps in heard.values())


class GoneError(Exception):
    pass


@pytest.mark.parametrize("stage", ["encode", "prefill", "generate"])
@pytest.mark.parametrize("way", ["ask", "many", "chat", "stream"])
def test_a_listener_that_raises_leaves_the_model_usable(model: yg.Model, stage: str, way: str) -> None:

    def leave(at: str, done: int, _total: int) -> None:
        if at == stage and done:
            raise GoneError

    scene = model.open(RGB)
    ways: dict[str, Any] = {
        "ask": lambda: scene.ask("Why?", progress=leave),
        "many": lambda: scene.many([("ask", "Why?"), ("ask", "Why not?")], progress=leave),
        "chat": lambda: scene.chat().ask("Why?", progress=leave),
        "stream": lambda: list(scene.ask("Why?", stream=True, progress=leave)),
    }
    with pytest.raises(GoneError):
        ways[way]()
    engine = model.engine
    assert isinstance(engine, NativeEngine)
    assert engine.prefixes.n_answers == 0
    assert scene.ask("Why?").finish


def test_a_listener_that_raises_ends_a_map(model: yg.Model) -> None:
    scene = model.open(RGB)

    def leave(_stage: str, _done: int, _total: int) -> None:
        raise GoneError

    with pytest.raises(GoneError):
        scene.depth(progress=leave)
    with pytest.raises(GoneError):
        scene.patches(progress=leave)
    assert scene.depth().values.size


def test_a_conversation_about_open_scenes_decodes_no_image_again(model: yg.Model) -> None:
    first, second = model.open(RGB), model.open(OTHER)
    before = first.ask("What is it?")
    chat = model.chat(first)
    again = chat.ask("What is it?")
    assert again == before
    assert again.timings.n_cached >= native(first).length
    second.patches()
    both = model.chat()
    for number, scene in enumerate((first, second), start=1):
        both.attach_text(f"Image {number}: ")
        both.attach(scene)
    answer = both.ask("What differs?").timings
    assert (answer.n_image_tokens, answer.encode_s) == (2 * N_IMAGE, 0)
    apart = native(first).tokens_of("Image 1: ")
    assert answer.n_prompt > 2 * N_IMAGE + len(apart)
    states = model.engine.open(Prefix(turns=both.turns)).patches(image=1)
    assert states.grid == second.grid
