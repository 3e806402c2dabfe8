"""Part of overhead.py: drawing tokens, and all that is done for a token beside llama.cpp's decode.

The model has the full vocabulary and one small layer, which takes seconds to write. It decodes once, so that llama.cpp
holds logits; these are then made up, and later decodes do nothing. So what is left of a step is our own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from _overhead import N_VOCAB, Row, timed

import youtu_gguf as yg
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Request
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.json_grammar import gbnf_of
from youtu_gguf.engines.native.llama.chain import Grammar
from youtu_gguf.weights.synthetic.layout import FULL, TINY
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

N_TOGETHER = 8
N_TOKENS = 200
"""Tokens of an answer; repetition is recognised from 256 on."""
SCORED = Sampling(max_tokens=N_TOKENS, scores=True)
PLAIN = replace(SCORED, scores=False)
SPREAD = replace(PLAIN, top_p=0.9, temperature=0.5)
"""Sampling that needs llama.cpp's chain."""


def rows() -> Iterator[Row]:
    shape = replace(
        TINY, name="full-vocabulary", language=replace(TINY.language, n_layer=1), vocabulary=FULL.vocabulary
    )
    with tempfile.TemporaryDirectory() as folder:
        pair = write_synthetic_pair(folder, shape)
        with yg.load(*pair, n_ctx=2048, threads=1, device="cpu") as model:
            engine = model.engine
            assert isinstance(engine, NativeEngine)
            assert engine.model.n_vocab == N_VOCAB
            with closing(model.open(np.zeros((64, 64, 3), np.uint8))) as scene:
                yield from of_one(engine, scene.session())
                yield from of_several(engine, scene.session())


def of_one(engine: NativeEngine, session: Any) -> Iterator[Row]:
    with made_up(engine, session, 1):
        for name, bar, sampling in (
            ("sampling, a token", 0.12, PLAIN),
            ("sampling, a token, with its score", None, SCORED),
            ("sampling, a token, by llama.cpp's chain", None, SPREAD),
        ):
            generation = engine.start(engine.payer(session), Request("What?", sampling), shared=False)

            def draw(sampler: Any = generation.sampler) -> None:
                for _ in range(N_TOKENS):
                    sampler.next(engine.context, 0)

            yield timed(name, draw, bar, 10, N_TOKENS)
            engine.finish(generation)

        grammar = Grammar(engine.model, gbnf_of('{"type": "string"}'))
        every_token = np.arange(N_VOCAB, dtype=np.int32)
        yield timed("checking a drawn token against a JSON schema", lambda: grammar.refused([7]))
        yield timed("checking every token against a JSON schema", lambda: grammar.refused(every_token), rounds=5)
        grammar.close()

        for name, bar, sampling in (
            ("everything of ours per token, one answer", 0.3, PLAIN),
            ("everything of ours per token, one answer, with scores", None, SCORED),
        ):

            def answer(sampling: Sampling = sampling) -> None:
                assert sum(piece.n_tokens for piece in session.generate("What?", sampling)) == N_TOKENS

            yield timed(name, answer, bar, 10, N_TOKENS)


def of_several(engine: NativeEngine, session: Any) -> Iterator[Row]:
    with made_up(engine, session, N_TOGETHER):
        for name, bar, sampling in (
            ("a step of eight answers together", 1.0, PLAIN),
            ("a step of eight answers together, with scores", None, SCORED),
        ):

            def answer(sampling: Sampling = sampling) -> None:
                with closing(session.parallel()) as together:
                    for _ in range(N_TOGETHER):
                        together.add(Request("What?", sampling))
                    while together.step():
                        pass

            yield timed(name, answer, bar, 10, N_TOKENS)


@contextmanager
def made_up(engine: NativeEngine, session: Any, n: int) -> Iterator[None]:
    """Decode `n` answers once, fill their logits with made-up numbers, and decode nothing within the `with` block."""
    context: Any = engine.context
    with closing(session.parallel()) as together:
        for _ in range(n):
            together.add(Request("What?", replace(PLAIN, max_tokens=2)))
        while together.step():
            pass
    ends = [token for token in range(N_VOCAB - 155_000, N_VOCAB) if engine.model.ends(token)]
    ends += [token for token in range(130_000) if engine.model.ends(token)]
    rng = np.random.default_rng(0)
    for index in range(n):
        logits = context.logits(index)
        logits[:] = rng.normal(scale=3.0, size=N_VOCAB)
        logits[ends] = -30.0
    context.decode = lambda _: True
    try:
        yield
    finally:
        del context.decode
