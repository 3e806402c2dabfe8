"""Answers of several threads, advanced in the same decodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.decodes import PATIENCE_S, QUESTIONS, Decodes, open_image
from tests.engine_contract import GREEDY
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Answer, Piece, Request, collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.handles import SHORT
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.native.shared import AHEAD
from youtu_gguf.errors import EngineError

Work = Callable[[], Any]


def in_threads(
    works: Sequence[Callable[[], Any]], start: Callable[[threading.Thread], None] | None = None
) -> list[Any]:
    """Return what `works` return or raise, each called in a thread of its own."""
    found: list[Any] = [None] * len(works)

    def work(i: int) -> None:
        try:
            found[i] = works[i]()
        except Exception as exc:  # noqa: BLE001 - returned
            found[i] = exc

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(works))]
    for thread in threads:
        start(thread)
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    return found


def queued(engine: NativeEngine, works: Sequence[Work]) -> list[Any]:
    """As `in_threads`, but all have asked for their turn before the first gets it."""
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with engine.lock:
            held.set()
            free.wait(PATIENCE_S)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(PATIENCE_S)

    def start(thread: threading.Thread) -> None:
        before = len(engine.lock._waiting)
        thread.start()
        while len(engine.lock._waiting) == before and thread.is_alive():
            pass
        if len(engine.lock._waiting) == len(works):
            free.set()

    found = in_threads(works, start)
    holder.join()
    return found


@pytest.mark.parametrize("n_images", [1, 4])
def test_eight_threads_take_little_more_decodes_than_many_and_get_the_same_answers(
    engine: NativeEngine, decodes: Decodes, n_images: int
) -> None:
    sampling = Sampling(temperature=0, max_tokens=16, loop_guard=False)
    sessions = [open_image(engine, i % n_images) for i in range(8)]
    asked = list(zip(sessions, QUESTIONS, strict=True))
    alone = [collect(session.generate(question, sampling)).text for session, question in asked]
    decodes.n = 0
    parallel = sessions[0].parallel()
    for question in QUESTIONS:
        parallel.add(Request(question, sampling))
    while parallel.step():
        pass
    many = decodes.n

    def ask(session: NativeSession, question: str) -> Callable[[], str]:
        return lambda: collect(session.generate(question, sampling)).text

    for session in sessions:
        session.patches()
    decodes.n = 0
    assert queued(engine, [ask(*pair) for pair in asked]) == alone
    n_prefixes = 4 * (n_images - 1) if n_images > 1 else 0  # those of images that left the context are restored
    assert decodes.n <= 1.2 * many + n_prefixes


def test_an_answer_whose_reader_has_stopped_is_not_advanced_far(engine: NativeEngine) -> None:
    session = open_image(engine)
    first, second = (session.generate(question, Sampling(temperature=0, max_tokens=40)) for question in QUESTIONS[:2])
    next(first)
    n = sum(piece.n_tokens for piece in second)
    (generation,) = engine._generations.values()
    assert n == 40
    assert generation.n_generated == 1 + AHEAD
    assert sum(piece.n_tokens for piece in first) == 39


def test_a_long_question_holds_up_a_running_answer_for_one_decode_at_a_time(
    engine: NativeEngine, decodes: Decodes
) -> None:
    session = open_image(engine)
    stream = session.generate(QUESTIONS[0], Sampling(temperature=0, max_tokens=100, loop_guard=False))
    next(stream)
    long, long_is_answered = "why " * 60, []
    n_question = len(session.tokens_of(long))
    assert n_question > 3 * SHORT
    decodes.n = 0
    thread = threading.Thread(target=lambda: long_is_answered.append(next(session.generate(long, GREEDY))))
    thread.start()
    n_pieces = 0
    while not long_is_answered:
        next(stream)
        n_pieces += 1
    thread.join(PATIENCE_S)
    stream.close()
    assert decodes.n <= n_pieces + AHEAD + 1


def test_a_question_that_is_cancelled_before_there_is_room_for_it_ends_at_once(engine: NativeEngine) -> None:
    session = open_image(engine)
    parallel = session.parallel()
    cancel = threading.Event()
    for question in QUESTIONS:
        parallel.add(Request(question, Sampling(temperature=0, max_tokens=40, loop_guard=False)))
    parallel.add(Request("Why?", GREEDY, cancel))
    parallel.add(Request("Why?", Sampling(max_s=1e-9)))
    (number, piece), *rest = parallel.step()
    assert (number, piece) == (9, Piece("", finish="time"))
    cancel.set()
    assert parallel.step()[0] == (8, Piece("", finish="cancelled"))
    assert all(number < len(QUESTIONS) for number, _ in rest)
    parallel.close()


def test_an_abandoned_answer_is_no_longer_advanced(engine: NativeEngine, decodes: Decodes) -> None:
    session = open_image(engine)
    first = session.generate(QUESTIONS[0], GREEDY)
    next(first)
    del first
    collect(session.generate(QUESTIONS[1], GREEDY))
    assert not engine._generations
    assert engine.prefixes.n_answers == 0


def test_an_error_of_one_answer_is_raised_in_its_thread_alone(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_image(engine)
    expected = [collect(session.generate(question, GREEDY)) for question in QUESTIONS]
    made = engine.new_sampler
    broken = 3

    def make(sampling: Sampling, n_vocab: int, seen: Sequence[int]) -> Any:
        sampler = made(sampling, n_vocab, seen)
        if sampling.seed == broken:
            sampler.next = None
        return sampler

    monkeypatch.setattr(engine, "new_sampler", make)

    def ask(i: int) -> Callable[[], Answer]:
        return lambda: collect(session.generate(QUESTIONS[i], Sampling(temperature=0, max_tokens=12, seed=i)))

    found = queued(engine, [ask(i) for i in range(8)])
    assert isinstance(found.pop(broken), TypeError)
    expected.pop(broken)
    assert found == expected
    assert engine.prefixes.n_answers == 0


def test_a_decode_that_fails_ends_the_answers_that_fail_alone_too(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_image(engine)
    expected = collect(session.generate(QUESTIONS[0], GREEDY))
    original = engine.context.decode_runs
    parallel = session.parallel()
    for question in QUESTIONS[:3]:
        parallel.add(Request(question, GREEDY))

    def failing(runs: Sequence[Any]) -> bool:
        if any(run.sequence == unlucky for run in runs):
            raise EngineError("it failed")
        return original(runs)

    parallel.step()
    unlucky = list(parallel._active)[1].sequence
    monkeypatch.setattr(engine.context, "decode_runs", failing)
    ends: dict[int, Any] = {}
    texts = ["", "", ""]
    while news := parallel.step():
        for number, piece in news:
            if isinstance(piece, Piece):
                texts[number] += piece.text
            if not isinstance(piece, Piece) or piece.finish:
                ends[number] = piece
    assert isinstance(ends[1], EngineError)
    assert expected.text.endswith(texts[0])
    assert ends[0].finish == expected.finish
    assert ends[2].finish
