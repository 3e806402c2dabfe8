"""Nano with one thing about it altered, so that another calibration is the true one. No test lives here."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import (
    Engine,
    HeadRows,
    ParallelGeneration,
    PatchStates,
    Piece,
    PrefixCost,
    Session,
    Vocabulary,
    collect,
)
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.engines.sequential import Sequential
from youtu_gguf.types import F32, Counts, ProgressFn, no_progress

Alter = Callable[[PatchStates], PatchStates]


@dataclass(frozen=True)
class AlteredEngine:
    """`engine` with its states, its tokens and its answers passed through functions."""

    engine: Engine
    alter: Alter = lambda states: states
    rename: Callable[[str], str] = lambda text: text
    answer: Callable[[str, str], str] = lambda _question, said: said
    name: str = "altered"
    n_parallel: int = 1
    has_states: bool = True

    @property
    def image_max_tokens(self) -> int:
        return self.engine.image_max_tokens

    @property
    def vocabulary(self) -> Vocabulary:
        return self

    def tokenize(self, text: str) -> tuple[int, ...]:
        return self.engine.vocabulary.tokenize(self.rename(text))

    def tokenize_all(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        return self.engine.vocabulary.tokenize_all([self.rename(text) for text in texts])

    def token_id(self, token: str) -> int | None:
        return self.engine.vocabulary.token_id(token)

    def counts(self) -> Counts:
        return self.engine.counts()

    def open(self, prefix: Prefix) -> Session:
        return AlteredSession(self.engine.open(prefix), self.alter, self.answer)

    def close(self) -> None:
        self.engine.close()


@dataclass(frozen=True)
class AlteredSession:
    session: Session
    alter: Alter
    answer: Callable[[str, str], str]

    @property
    def prefix(self) -> Prefix:
        return self.session.prefix

    @property
    def cost(self) -> PrefixCost:
        return self.session.cost

    def patches(
        self, *, aside: bool = False, cancel: threading.Event | None = None, max_s: float = math.inf,
        progress: ProgressFn = no_progress,
    ) -> PatchStates:  # fmt: skip
        return self.alter(self.session.patches(aside=aside, cancel=cancel, max_s=max_s, progress=progress))

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        said = collect(self.session.generate(question, sampling, cancel))
        yield Piece(self.answer(question, said.text), said.n_tokens, said.finish)

    def parallel(self) -> ParallelGeneration:
        return Sequential(self)

    def close(self) -> None:
        self.session.close()


def rolled(by: int) -> Alter:
    """Put at every position the state of the one `by` later; at the ends the outermost is repeated."""

    def alter(states: PatchStates) -> PatchStates:
        assert states.before is not None
        flat = np.concatenate([states.before[None], states.hidden.reshape(-1, states.hidden.shape[-1])])
        moved = flat[np.clip(np.arange(len(flat)) + by, 0, len(flat) - 1)]
        return PatchStates(moved[1:].reshape(states.hidden.shape), states.head, moved[0])

    return alter


def noisy(deviations: float, seed: int = 0) -> Alter:
    """Drown the states in noise of so many of their own standard deviations."""
    rng = np.random.default_rng(seed)

    def alter(states: PatchStates) -> PatchStates:
        noise = rng.normal(0, deviations * states.hidden.std(), states.hidden.shape)
        return replace(states, hidden=(states.hidden + noise).astype(np.float32))

    return alter


def zero_based(engine: Engine, invalid: str) -> Alter:
    """Let `<custom_{k + 1}>` mean what `<custom_k>` did, and `<custom_1>` what the token `invalid` does."""
    bins = [engine.vocabulary.token_id(f"<custom_{b}>") for b in range(1, 1001)]
    ids = {later: earlier for earlier, later in pairwise(bins)}
    ids[bins[0]] = engine.vocabulary.tokenize(invalid)[0]
    return lambda states: PatchStates(states.hidden, _Renumbered(states.head, ids), states.before)


@dataclass(frozen=True)
class _Renumbered:
    head: HeadRows
    ids: dict[int | None, int | None]

    def rows(self, ids: Sequence[int]) -> F32:
        return self.head.rows([self.ids.get(token, token) or 0 for token in ids])
