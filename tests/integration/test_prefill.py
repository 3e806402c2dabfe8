"""Images read in slices and encoded outside the turn, and requests that end meanwhile."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from tests.decodes import PATIENCE_S, QUESTIONS, Decodes, open_image
from tests.engine_contract import GREEDY, picture
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece, Request, collect
from youtu_gguf.engines.native import prefill
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.prefill import SLICE
from youtu_gguf.errors import CancelledError, EngineError

LONG = (384, 512)
"""192 image tokens: three slices, with the text around them five."""


def test_states_are_to_the_last_bit_those_of_one_long_batch(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sliced = open_image(engine, 1, LONG).patches().hidden
    engine.clear()
    monkeypatch.setattr(prefill, "SLICE", engine.context.slice)
    assert np.array_equal(open_image(engine, 1, LONG).patches().hidden, sliced)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 127, 128, 199, 300, 1200, 2048])
def test_slices_cover_everything_and_none_is_shorter_than_the_least(n: int) -> None:
    whole = [stop - first for first, stop in pairwise(prefill.cuts(n, 512, fine=False))]
    slices = [stop - first for first, stop in pairwise(prefill.cuts(n, 512, fine=True))]
    assert sum(slices) == sum(whole) == n
    assert max(whole, default=0) <= 512
    assert max(slices, default=0) < 2 * SLICE
    assert n < SLICE or min(slices) >= SLICE
    assert all(stop - first <= 7 for first, stop in pairwise(prefill.cuts(n, 7, fine=True)))


def test_slices_of_another_image_leave_turns_to_a_running_answer(engine: NativeEngine, decodes: Decodes) -> None:
    """Between two slices the answer proceeds, and between two of its steps there is one slice at most."""
    session, other = open_image(engine, 1), open_image(engine, 2, (640, 640))
    assert other.length > 6 * SLICE
    order: list[str] = []
    stream = session.generate(QUESTIONS[0], Sampling(temperature=0, max_tokens=400, loop_guard=False))
    next(stream)
    first, done = threading.Event(), threading.Event()
    slices = engine.context.decode_states

    def slice_(*arguments: Any) -> Any:
        order.append("slice")
        first.set()
        return slices(*arguments)

    engine.context.decode_states = slice_  # type: ignore[method-assign]

    def read() -> None:
        other.patches()
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert first.wait(PATIENCE_S)
    while not done.is_set():
        order.append("piece")
        next(stream)
    thread.join(PATIENCE_S)
    stream.close()
    assert order.count("slice") == 400 // SLICE
    assert "slice slice slice" not in " ".join(order)


@pytest.mark.parametrize("finish", ["cancelled", "time"])
def test_a_reading_ends_within_a_slice_and_is_continued_from_there(
    engine: NativeEngine, decodes: Decodes, finish: str
) -> None:
    session = open_image(engine, 1, LONG)
    expected, whole = session.patches().hidden, decodes.n
    engine.clear()
    cancel = threading.Event()
    decodes.n = 0
    if finish == "cancelled":
        decodes.during = lambda n: cancel.set() if n == 2 else None
        limits: dict[str, Any] = {"cancel": cancel}
    else:
        limits = {"max_s": 1e-9}
    with pytest.raises(CancelledError) as raised:
        session.patches(**limits)
    assert raised.value.finish == finish
    assert decodes.n == (2 if finish == "cancelled" else 0)
    decodes.during = lambda _n: None
    assert np.array_equal(session.patches().hidden, expected)
    assert decodes.n == whole
    engine.clear()
    assert engine.prefixes.n_positions == 0


def test_an_answer_that_is_cancelled_while_its_image_is_read_ends_with_one_piece(
    engine: NativeEngine, decodes: Decodes
) -> None:
    session, cancel = open_image(engine, 1, LONG), threading.Event()
    decodes.during = lambda n: cancel.set() if n == 2 else None
    pieces = list(session.generate(QUESTIONS[0], GREEDY, cancel))
    assert [(piece.text, piece.finish) for piece in pieces] == [("", "cancelled")]
    assert decodes.n == 2
    assert [piece.finish for piece in session.generate(QUESTIONS[0], Sampling(max_s=1e-9))] == ["time"]
    decodes.during = lambda _n: None
    assert collect(session.generate(QUESTIONS[0], GREEDY)).n_tokens


def test_of_questions_asked_together_the_next_continues_the_reading_of_one_that_was_cancelled(
    engine: NativeEngine, decodes: Decodes
) -> None:
    session, cancel = open_image(engine, 1, LONG), threading.Event()
    parallel = session.parallel()
    parallel.add(Request(QUESTIONS[0], GREEDY, cancel))
    parallel.add(Request(QUESTIONS[1], GREEDY))
    decodes.during = lambda n: cancel.set() if n == 2 else None
    first = parallel.step()
    assert (0, Piece("", finish="cancelled")) in first
    assert [number for number, _ in first] == [0, 1]
    parallel.close()


@pytest.mark.parametrize("cancelled", [False, True])
def test_two_threads_that_want_one_prefix_read_it_once(
    engine: NativeEngine, decodes: Decodes, monkeypatch: pytest.MonkeyPatch, *, cancelled: bool
) -> None:
    """Also if the one that reads is cancelled: the other continues."""
    encode, n_encoded = engine.vision.encode, []

    def counted(*arguments: Any, **options: Any) -> Any:
        n_encoded.append(1)
        return encode(*arguments, **options)

    monkeypatch.setattr(engine.vision, "encode", counted)
    cancel = threading.Event()
    sessions = [open_image(engine, 1, LONG) for _ in range(2)]
    waiting = threading.Event()
    wait_for = engine.readings.wait_for

    def noted(*arguments: Any) -> None:
        waiting.set()
        wait_for(*arguments)

    monkeypatch.setattr(engine.readings, "wait_for", noted)

    def during(n: int) -> None:
        if n == 2:
            second.start()
        if n == 3:
            assert waiting.wait(PATIENCE_S)
            if cancelled:
                cancel.set()

    found: list[Any] = []
    second = threading.Thread(target=lambda: found.append(sessions[1].patches().hidden))
    decodes.during = during
    if cancelled:
        with pytest.raises(CancelledError):
            sessions[0].patches(cancel=cancel)
    else:
        sessions[0].patches()
    second.join(PATIENCE_S)
    assert len(found) == 1
    assert decodes.n == 5
    assert len(n_encoded) == 1


@pytest.mark.parametrize("aside", [False, True])
def test_states_are_read_where_nothing_may_be_cached(tiny_pair: Pair, *, aside: bool) -> None:
    with yg.load(*tiny_pair, n_ctx=1024, threads=1, cache_bytes=0) as model:
        assert isinstance(model.engine, NativeEngine)
        assert open_image(model.engine).patches(aside=aside).hidden.size


def test_a_reading_that_is_continued_encodes_nothing_again(tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with yg.load(*tiny_pair, n_ctx=1024, threads=1, cache_bytes=0) as model:
        assert isinstance(model.engine, NativeEngine)
        decodes, session = Decodes(model.engine, monkeypatch), open_image(model.engine, 1, LONG)
        cancel = threading.Event()
        decodes.during = lambda n: cancel.set() if n == 2 else None
        with pytest.raises(CancelledError):
            session.patches(cancel=cancel)
        monkeypatch.setattr(model.engine.vision, "encode", None)
        assert session.patches().hidden.size


def test_what_was_encoded_is_kept_when_the_reading_is_cancelled(
    engine: NativeEngine, decodes: Decodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, cancel = open_image(engine, 1), threading.Event()
    decodes.during = lambda _n: cancel.set()
    with pytest.raises(CancelledError):
        session.patches(cancel=cancel)
    engine.readings.drop_idle()
    monkeypatch.setattr(engine.vision, "encode", None)
    assert session.patches().hidden.size


def test_a_failed_slice_leaves_no_room_taken(engine: NativeEngine, decodes: Decodes) -> None:
    def fail(n: int) -> None:
        if n == 2:
            raise EngineError("it failed")

    session = open_image(engine, 1, LONG)
    decodes.during = fail
    with pytest.raises(EngineError, match="it failed"):
        session.patches()
    assert engine.prefixes.n_positions == 0
    decodes.during = lambda _n: None
    assert session.patches().hidden.size


def test_answers_proceed_while_another_image_is_encoded(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    session, other = open_image(engine, 1), open_image(engine, 2)
    session.patches()
    encoding, over, encode = threading.Event(), threading.Event(), engine.vision.encode

    def slow(*arguments: Any, **options: Any) -> Any:
        encoding.set()
        assert over.wait(PATIENCE_S)
        return encode(*arguments, **options)

    monkeypatch.setattr(engine.vision, "encode", slow)
    thread = threading.Thread(target=other.patches)
    thread.start()
    assert encoding.wait(PATIENCE_S)
    assert collect(session.generate(QUESTIONS[0], GREEDY)).n_tokens
    over.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_closing_while_an_image_is_encoded_waits_and_ends_its_reading_with_an_error(
    tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = yg.load(*tiny_pair, n_ctx=1024, threads=1)
    engine = model.engine
    assert isinstance(engine, NativeEngine)
    session, encode = open_image(engine), engine.vision.encode
    closing = threading.Thread(target=model.close)

    def slow(*arguments: Any, **options: Any) -> Any:
        closing.start()
        while not engine.readings._closing:
            pass
        return encode(*arguments, **options)

    monkeypatch.setattr(engine.vision, "encode", slow)
    with pytest.raises(EngineError, match="closed"):
        session.patches()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert engine.model.handle is None


@pytest.mark.parametrize("task", ["depth", "segment"])
def test_a_map_whose_image_was_not_read_ends_with_an_error_that_says_why(tiny_pair: Pair, task: str) -> None:
    cancel = threading.Event()
    cancel.set()
    with yg.load(*tiny_pair, n_ctx=1024, threads=1) as model:
        scene = model.open(picture(1).rgb)
        ask = {"depth": scene.depth, "segment": lambda **options: scene.segment(["a"], present="all", **options)}[task]
        with pytest.raises(yg.CancelledError, match="the run was cancelled before"):
            ask(cancel=cancel)
        with pytest.raises(yg.CancelledError, match="max_s had passed"):
            ask(max_s=1e-9)
        assert ask()
