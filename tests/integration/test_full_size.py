"""The published shapes with random weights. Needs 8 GB of memory and minutes; run by scripts/bench/all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from youtu_gguf.config import Sampling, make_settings
from youtu_gguf.engines.base import collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.gguf.pair import ModelPair, check_pair, find_model, find_projector
from youtu_gguf.types import PreparedImage, no_progress

pytestmark = pytest.mark.full

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "youtu-gguf" / "synthetic-full"
PICTURE = PreparedImage(np.random.default_rng(0).integers(0, 256, (256, 320, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def pair() -> ModelPair:
    if not list(CACHE.glob("*.gguf")):
        pytest.fail(f"the full-size pair is not in {CACHE}; write it with scripts/bench/dense_cost.py")
    model = find_model(CACHE)
    return check_pair(model, find_projector(model))


@pytest.fixture(params=["nextn", "embeddings"])
def engine(request: pytest.FixtureRequest, pair: ModelPair) -> Iterator[NativeEngine]:
    loaded = NativeEngine(pair, make_settings(n_ctx=1024, n_batch=64, hidden_way=request.param))
    yield loaded
    loaded.close()


def test_special_tokens_lie_at_the_published_ids(pair: ModelPair) -> None:
    engine = NativeEngine(pair, make_settings(n_ctx=256))
    ids = {t: engine.token_id(t) for t in ("<|vision_start|>", "<x_0>", "<y_2047>")}
    engine.close()
    assert ids == {"<|vision_start|>": 128_262, "<x_0>": 278_267, "<y_2047>": 282_362}


def test_both_ways_of_reading_states_agree(pair: ModelPair) -> None:
    states = []
    for way in ("nextn", "embeddings"):
        loaded = NativeEngine(pair, make_settings(n_ctx=1024, n_batch=64, hidden_way=way))
        states.append(loaded.open(Prefix(PICTURE)).patches().hidden)
        loaded.close()
    assert np.abs(states[0] - states[1]).max() <= 1e-4


def test_head_rows_times_states_are_llama_cpps_own_logits(pair: ModelPair) -> None:
    """See the test of the same name for the tiny pair; the last slice of image tokens, every 50th word."""
    loaded = NativeEngine(pair, make_settings(n_ctx=1024, hidden_way="embeddings"))
    embeddings = loaded.vision.encode(PICTURE)
    states = loaded.context.decode_states(embeddings, 0, no_progress, 0)[64:]
    pointer = lib.llama_get_logits(loaded.context.handle)
    own = np.ctypeslib.as_array(pointer, shape=(len(states), loaded.model.n_vocab))[:, ::50].copy()
    ours = states @ loaded.head.rows(range(0, loaded.model.n_vocab, 50)).T
    loaded.close()
    error = np.abs(ours - own).max() / np.ptp(own)
    print(f"largest difference {np.abs(ours - own).max():.5f}, {error:.5f} of the logits' range")
    assert error <= 0.01


def test_an_answer_comes_from_either_way(engine: NativeEngine) -> None:
    answer = collect(engine.open(Prefix(PICTURE)).generate("What?", Sampling(max_tokens=4)))
    assert answer.n_tokens == 4 or answer.finish == "stop"
