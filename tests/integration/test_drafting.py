"""Drafts change how many decodes an answer takes, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR, Pair
from tests.engine_contract import gather, picture
from youtu_gguf.config import Sampling, make_settings
from youtu_gguf.engines.base import Answer, Prefix, Request, collect
from youtu_gguf.engines.native import decoding
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.batch import Run
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.native.sampling import Drawn, LikeliestDraw, LogitsSource, Sampler
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import PreparedImage

GRID = "<ref>car</ref>" + "".join(f"<box><x_{n}><y_7><x_{n + 9}><y_{3 * n}></box>" for n in range(0, 90, 9))
POSE = "".join(f"<kpt><x_{n}><y_{2 * n}><v_{n % 3 // 2}.0></kpt>" for n in range(16))
TABLE = "".join(f"| {n} | {'red' if n % 4 else 'blue'} | {n * n} |\n" for n in range(12))
SCRIPTS = (GRID, POSE, TABLE)
QUESTIONS = ("Detect all objects in the provided image.", "Where are the joints?", "Read the text in this image.")
LONG = Sampling(max_tokens=400, loop_guard=False)


class Scripted(Sampler):
    """Draws given tokens, whatever the logits; notes of each row of logits what it holds."""

    def __init__(self, tokens: Sequence[int], rows: list[bytes]) -> None:
        super().__init__(LikeliestDraw(LONG, ()), scores=False)
        self.tokens, self.rows = list(tokens), rows

    def next(self, context: LogitsSource, index: int = -1) -> Drawn:
        self.rows.append(blake2b(context.logits(index).tobytes()).digest())
        return Drawn(self.tokens[len(self.rows) - 1])


@dataclass
class Watched:
    """An engine on which answers are dictated.

    Attributes:
        decodes: Tokens that each decode was given.
        rows: The logits of every draw, of one answer after the other.
    """

    engine: NativeEngine
    session: NativeSession
    monkeypatch: pytest.MonkeyPatch
    decodes: list[int] = field(default_factory=list)
    rows: list[list[bytes]] = field(default_factory=list)

    def dictate(self, *scripts: str, drafts: bool) -> None:
        """Let the next answers be `scripts`, and forget what was watched."""
        self.session.patches()  # so that an answer starts at once, with the first sampler
        self.decodes.clear()
        self.rows.clear()
        ending = self.engine.token_id("<|end_of_text|>")
        assert ending is not None
        waiting = [[*self.session.tokenize(script), ending] for script in scripts]

        def new_sampler(*_: object) -> Sampler:
            self.rows.append([])
            return Scripted(waiting.pop(0), self.rows[-1])

        self.monkeypatch.setattr(self.engine, "new_sampler", new_sampler)
        self.monkeypatch.setattr(self.engine, "drafts", drafts)

    def answer(self, sampling: Sampling = LONG, cancel: threading.Event | None = None) -> Answer:
        return collect(self.session.generate(QUESTIONS[0], sampling, cancel))


@pytest.fixture(scope="module")
def engine() -> Iterator[NativeEngine]:
    with yg.load("nano", threads=1, n_ctx=2048, **ON_PROCESSOR) as model:
        assert isinstance(model.engine, NativeEngine)
        yield model.engine


@pytest.fixture
def watched(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    engine.clear()
    with closing(engine.open(Prefix(PreparedImage(draw(TEST_SEEDS + 3, (128, 128)).rgb)))) as session:
        found = Watched(engine, session, monkeypatch)
        decode = engine.context.decode_runs

        def counted(runs: Sequence[Run]) -> bool:
            found.decodes.append(sum(len(run.content) for run in runs))
            return decode(runs)

        monkeypatch.setattr(engine.context, "decode_runs", counted)
        yield found


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_token_is_drawn_from_the_same_logits_to_the_last_bit(script: str, watched: Watched) -> None:
    watched.dictate(script, drafts=False)
    plain = watched.answer()
    rows, n_plain = watched.rows[0].copy(), len(watched.decodes)
    watched.dictate(script, drafts=True)
    drafted = watched.answer()
    assert (drafted.text, drafted.finish) == (plain.text, plain.finish) == (script, "stop")
    assert watched.rows[0] == rows
    assert len(watched.decodes) < 0.8 * n_plain
    assert max(watched.decodes[1:]) <= decoding.WIDEST


def test_answers_got_together_have_the_logits_of_answers_got_alone(watched: Watched) -> None:
    alone = []
    for script, question in zip(SCRIPTS, QUESTIONS, strict=True):
        watched.engine.clear()
        watched.dictate(script, drafts=False)
        collect(watched.session.generate(question, LONG))
        alone += watched.rows
    watched.engine.clear()
    watched.dictate(*SCRIPTS, drafts=True)
    parallel = watched.session.parallel()
    for question in QUESTIONS:
        parallel.add(Request(question, LONG))
    answers = gather(parallel)
    assert [answers[n].text for n in range(3)] == list(SCRIPTS)
    assert watched.rows == alone
    assert len(watched.decodes) < max(map(len, alone))


def test_no_cell_of_a_wrong_draft_stays_in_its_answer(watched: Watched) -> None:
    memory = lib.llama_get_memory(watched.engine.context.handle)
    prefixes, session = watched.engine.prefixes, watched.session
    watched.dictate(POSE, TABLE, drafts=True)
    parallel = session.parallel()
    for question in QUESTIONS[:2]:
        parallel.add(Request(question, LONG))
    while all(piece.finish is None for _, piece in parallel.step()):  # type: ignore[union-attr]
        for sequence, question, rows in zip(prefixes.branches(), QUESTIONS[:2], watched.rows, strict=True):
            decoded = session.length + len(session.tokens_of(question)) + len(rows) - 1
            assert lib.llama_memory_seq_pos_max(memory, sequence) + 1 == decoded
        assert prefixes.n_positions == session.length + sum(watched.decodes)
    parallel.close()
    prefixes.collect()
    assert prefixes.n_positions == session.length


def test_a_lone_answer_takes_no_more_cells_than_without_drafts(watched: Watched) -> None:
    sizes = []
    for drafts in (False, True):
        watched.engine.clear()
        watched.dictate(POSE, drafts=drafts)
        stream = watched.session.generate(QUESTIONS[0], LONG)
        while len(watched.rows) == 0 or len(watched.rows[0]) < 60:
            next(stream)
        prefixes = watched.engine.prefixes
        sizes.append(prefixes.n_positions - len(watched.rows[0]))
        stream.close()  # type: ignore[attr-defined]
    assert sizes[0] == sizes[1]


def test_a_full_context_ends_an_answer_at_the_same_token(tiny_pair: Pair) -> None:
    ends = []
    for draft in ("off", "on"):
        settings = make_settings(n_ctx=200, threads=1, draft=draft, **ON_PROCESSOR)
        with closing(NativeEngine(check_pair(*tiny_pair), settings)) as engine:
            session = engine.open(Prefix(picture(1)))
            ends.append(collect(session.generate("What?", Sampling(temperature=0, loop_guard=False))))
    assert ends[0].finish == "length"
    assert ends[0] == ends[1]


@pytest.mark.parametrize("most", [1, 40, 41, 42, 43, 44, 45, 46])
def test_the_token_limit_is_kept_within_a_draft(most: int, watched: Watched) -> None:
    answers = []
    for drafts in (False, True):
        watched.dictate(POSE, drafts=drafts)
        answers.append(watched.answer(Sampling(max_tokens=most)))
    assert answers[0] == answers[1]
    assert (answers[1].n_tokens, answers[1].finish) == (most, "length")


def test_an_endless_answer_is_ended_at_the_same_token(watched: Watched) -> None:
    answers = []
    for drafts in (False, True):
        watched.dictate("<ref>car</ref>" * 200, drafts=drafts)
        answers.append(watched.answer(Sampling(max_tokens=900)))
    assert answers[0] == answers[1]
    assert answers[1].finish == "loop"


def test_a_cancelled_answer_ends_with_the_decode_that_was_under_way(watched: Watched) -> None:
    cancel = threading.Event()
    watched.dictate(GRID, drafts=True)
    pieces = []
    for piece in watched.session.generate(QUESTIONS[0], LONG, cancel):
        pieces.append(piece)
        cancel.set()
    assert pieces[-1].finish == "cancelled"
    assert sum(piece.n_tokens for piece in pieces) <= decoding.WIDEST


def test_nanos_answers_stay_the_same_alone_and_together() -> None:
    found: list[list[yg.Result]] = []
    with yg.load("nano", threads=1, max_tokens=100, scores=True, **ON_PROCESSOR) as model:
        assert isinstance(model.engine, NativeEngine)
        assert not model.engine.drafts
        for model.engine.drafts in (False, True):
            with closing(model.open(draw(TEST_SEEDS + 5, (192, 192)).rgb)) as scene:
                asked: list[tuple[str, ...]] = [("detect",), ("pose",), ("describe",), ("polygon", "largest object")]
                alone = [getattr(scene, task)(*words) for task, *words in asked]
                alone += [scene.ask("Segment all objects in this image.", **warm) for warm in ({}, WARM, GREEDY)]
                found += [alone, scene.many(asked)]
    for results in found[1:]:
        assert [result.raw for result in results] == [result.raw for result in found[0][: len(results)]]
    assert np.array_equal(found[2][0].scores, found[0][0].scores)  # type: ignore[attr-defined]


WARM = {"temperature": 1.0, "top_p": 0.95, "seed": 7}
GREEDY = {"temperature": 0.0}


class Clock:
    """A context on a device whose decodes take the given seconds, by the number of their tokens."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds, self.now = seconds, 0.0

    def perf_counter(self) -> float:
        return self.now

    def decode_runs(self, runs: Sequence[Run]) -> bool:
        self.now += self.seconds[sum(len(run.content) for run in runs)]
        return True

    def logits(self, _index: int) -> None:
        self.now += 0.001

    def drop(self, _sequence: int) -> None:
        pass


@pytest.mark.parametrize(("of_four", "pays"), [(0.0058, True), (0.0085, True), (0.0095, False), (0.02, False)])
def test_on_a_device_drafts_are_used_where_four_tokens_cost_less_than_one_and_a_half(
    of_four: float, pays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Any = Clock({1: 0.005, 4: of_four - 0.001})
    monkeypatch.setattr(decoding, "time", clock)
    assert decoding.choose_drafts("auto", clock, on_device=True) is pays
    assert not decoding.choose_drafts("auto", clock, on_device=False)
    assert decoding.choose_drafts("on", clock, on_device=False)
    assert not decoding.choose_drafts("off", clock, on_device=True)
