"""Questions that begin alike share what they have in common, and nothing changes by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR
from tests.engine_contract import GREEDY
from youtu_gguf import prompts
from youtu_gguf.engines.base import Request, collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.batch import Run
from youtu_gguf.engines.native.llama.handles import SHORT, TILE
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import PreparedImage

ALIKE = [prompts.ENGLISH.ground.format(f"the {thing}") for thing in ("red star", "left sign", "largest object")]
OTHER = "Describe the picture."


@pytest.fixture(scope="module")
def engine() -> Iterator[NativeEngine]:
    with yg.load("nano", threads=1, **ON_PROCESSOR) as model:
        assert isinstance(model.engine, NativeEngine)
        yield model.engine


@pytest.fixture
def session(engine: NativeEngine) -> Iterator[NativeSession]:
    engine.clear()
    opened = engine.open(Prefix(PreparedImage(draw(TEST_SEEDS + 3, (256, 256)).rgb)))
    opened.patches()
    yield opened
    opened.close()


@pytest.fixture
def decoded(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens of questions and answers each decode was given."""
    counts: list[int] = []
    decode = engine.context.decode_runs

    def counted(runs: Sequence[Run]) -> bool:
        counts.append(sum(len(run.content) for run in runs))
        return decode(runs)

    monkeypatch.setattr(engine.context, "decode_runs", counted)
    return counts


def test_logits_are_the_same_to_the_last_bit_whatever_was_asked_before(
    engine: NativeEngine, session: NativeSession, decoded: list[int]
) -> None:
    alone, costs = [], []
    for question in ALIKE:
        engine.clear()
        alone.append(session.last_logits(question))
        costs.append(decoded[-1])
    engine.clear()
    for order in ([0, 1, 2, 1, 0], [2, 2, 0], [1, 0, 2]):
        for i in order:
            decoded.clear()
            assert np.array_equal(session.last_logits(ALIKE[i]), alone[i])
            assert decoded == [costs[i]] or sum(decoded) < costs[i] - 3
        collect(session.generate(OTHER, GREEDY))


def test_a_question_like_the_last_one_decodes_only_what_is_new(session: NativeSession, decoded: list[int]) -> None:
    n_asked = [len(session.tokens_of(question)) for question in ALIKE]
    collect(session.generate(ALIKE[0], GREEDY))
    assert decoded[0] == n_asked[0]
    decoded.clear()
    collect(session.generate(ALIKE[1], GREEDY))
    assert decoded[0] < n_asked[1] - 3
    decoded.clear()
    collect(session.generate(ALIKE[1], GREEDY))
    assert decoded[0] == 1
    decoded.clear()
    collect(session.generate(OTHER, GREEDY))
    assert decoded[0] == len(session.tokens_of(OTHER))


def test_questions_asked_together_share_their_beginning(session: NativeSession, decoded: list[int]) -> None:
    parallel = session.parallel()
    for question in [*ALIKE, OTHER]:
        parallel.add(Request(question, GREEDY))
    parallel.step()
    parallel.close()
    first = len(session.tokens_of(ALIKE[0])) + len(session.tokens_of(OTHER))
    assert decoded[0] == first
    assert sum(decoded) < sum(len(session.tokens_of(question)) for question in [*ALIKE, OTHER]) - 6


def test_what_is_asked_together_shares_with_an_answer_under_way(session: NativeSession, decoded: list[int]) -> None:
    stream = session.generate(ALIKE[0], GREEDY)
    next(stream)
    decoded.clear()
    next(session.generate(ALIKE[1], GREEDY))
    assert decoded[0] < len(session.tokens_of(ALIKE[1])) - 3
    rest = "".join(piece.text for piece in stream)
    assert rest in collect(session.generate(ALIKE[0], GREEDY)).text


def test_answers_are_those_of_an_engine_that_was_asked_nothing_else(
    engine: NativeEngine, session: NativeSession
) -> None:
    alone = []
    for question in [*ALIKE, OTHER]:
        engine.clear()
        alone.append(collect(session.generate(question, GREEDY)).text)
    engine.clear()
    for _ in range(3):
        assert [collect(session.generate(question, GREEDY)).text for question in [*ALIKE, OTHER]] == alone


def test_the_context_does_not_fill_up_with_what_was_asked(engine: NativeEngine, session: NativeSession) -> None:
    for i in range(30):
        collect(session.generate(f"{ALIKE[i % 3]} Number {i}?", GREEDY))
        assert engine.prefixes.n_positions <= session.length + 400
    parallel = session.parallel()
    for i in range(12):
        parallel.add(Request(f"{i} {OTHER}", GREEDY))
    for _ in range(400):
        parallel.step()
    parallel.close()
    assert engine.prefixes.n_answers == 0
    assert engine.prefixes.n_positions <= session.length + 400


def test_another_image_leaves_nothing_behind(engine: NativeEngine, session: NativeSession) -> None:
    collect(session.generate(OTHER, GREEDY))
    with_other = engine.open(Prefix(PreparedImage(draw(TEST_SEEDS + 4, (256, 256)).rgb)))
    next(with_other.generate(OTHER, GREEDY))
    assert engine.prefixes.n_positions < with_other.length + 60


@pytest.mark.parametrize("n", [5, 7, 13, 59])
def test_padding_changes_no_number(engine: NativeEngine, session: NativeSession, n: int, monkeypatch: Any) -> None:
    tokens = session.tokens_of(" ".join(ALIKE * 4))[:n]
    assert n % TILE
    assert n < SHORT

    def logits() -> Any:
        engine.clear()
        collect(session.generate(OTHER, GREEDY))
        entry = engine.prefixes.find(session.key)
        assert entry is not None
        with engine.lock:
            sequence = engine.prefixes.branch(entry, tokens)
            assert sequence is not None
            assert engine.context.decode_runs([Run(tokens, entry.length, sequence)])
            engine.prefixes.grow(sequence, n)
            found = engine.context.logits(n - 1).copy()
            engine.prefixes.finish(sequence)
        return found

    filled: list[int] = []
    fill = engine.context.tokens.fill

    def counted(*runs: Run) -> Any:
        filled.append(sum(len(run.content) for run in runs))
        return fill(*runs)

    monkeypatch.setattr(engine.context.tokens, "fill", counted)
    padded = logits()
    assert filled[-1] == -(-n // TILE) * TILE
    monkeypatch.setattr(engine.context, "pads", False)
    assert np.array_equal(logits(), padded)
