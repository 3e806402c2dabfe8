"""The native engine on the tiny random pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ON_PROCESSOR, Pair
from tests.engine_contract import GREEDY, StatesContract, picture
from tests.unit.test_gguf_pair import HARMLESS_MODELS, write_edited
from youtu_gguf.config import Sampling, make_settings
from youtu_gguf.engines.base import Prefix, collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.bindings import lib
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.sampling import Drawn, LikeliestDraw, LogitsSource, Sampler
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import no_progress


def load(pair: Pair, **settings: Any) -> NativeEngine:
    return NativeEngine(check_pair(*pair), make_settings(**{"n_ctx": 2048, "threads": 1, **ON_PROCESSOR, **settings}))


@pytest.fixture
def engine(tiny_pair: Pair) -> Iterator[NativeEngine]:
    loaded = load(tiny_pair)
    yield loaded
    loaded.close()


class TestNativeEngine(StatesContract):
    way = "nextn"

    @pytest.fixture
    def engine(self, tiny_pair: Pair) -> Iterator[NativeEngine]:
        loaded = load(tiny_pair, hidden_way=self.way)
        yield loaded
        loaded.close()


class TestNativeEngineWithoutTheTap(TestNativeEngine):
    way = "embeddings"


class ScriptedSampler(Sampler):
    """Draws the bytes of a sentence, one token each, then the end."""

    script: list[int]

    def __init__(self, sampling: Sampling, _model: LlamaModel, seen: Sequence[int]) -> None:
        super().__init__(LikeliestDraw(sampling, seen), scores=False)

    def next(self, context: LogitsSource, index: int = -1) -> Drawn:
        super().next(context, index)
        return Drawn(self.script.pop(0))


def test_characters_of_several_tokens_are_streamed_whole(tiny_pair: Pair) -> None:
    sentence = "Café 杯子 🚲!"

    class Scripted(NativeEngine):
        new_sampler = staticmethod(ScriptedSampler)

    engine = Scripted(check_pair(*tiny_pair), make_settings(n_ctx=2048, threads=1))
    by_bytes = {engine.model.piece(token): token for token in range(512)}
    end = engine.token_id("<|end_of_text|>")
    assert end is not None
    ScriptedSampler.script = [by_bytes[bytes([byte])] for byte in sentence.encode()] + [end]
    pieces = list(engine.open(Prefix(picture(1))).generate("What?", Sampling()))
    engine.close()
    assert [piece.text for piece in pieces if piece.text] == list(sentence)
    assert sum(piece.n_tokens for piece in pieces) == len(sentence.encode())
    assert pieces[-1].finish == "stop"


def test_a_stop_string_is_found_across_tokens_that_are_parts_of_characters(tiny_pair: Pair) -> None:
    class Scripted(NativeEngine):
        new_sampler = staticmethod(ScriptedSampler)

    engine = Scripted(check_pair(*tiny_pair), make_settings(n_ctx=2048, threads=1))
    by_bytes = {engine.model.piece(token): token for token in range(512)}
    ScriptedSampler.script = [by_bytes[bytes([byte])] for byte in "Café 杯子 🚲!".encode()]
    sampling = Sampling(stop=("子 🚙", "子 🚲"))
    answer = collect(engine.open(Prefix(picture(1))).generate("What?", sampling))
    engine.close()
    assert (answer.text, answer.finish, len(ScriptedSampler.script)) == ("Café 杯", "stop", 1)


def test_an_answer_cut_inside_a_character_ends_with_a_replacement(tiny_pair: Pair) -> None:
    class Scripted(NativeEngine):
        new_sampler = staticmethod(ScriptedSampler)

    engine = Scripted(check_pair(*tiny_pair), make_settings(n_ctx=2048, threads=1))
    by_bytes = {engine.model.piece(token): token for token in range(512)}
    ScriptedSampler.script = [by_bytes[bytes([byte])] for byte in "a杯".encode()]
    answer = collect(engine.open(Prefix(picture(1))).generate("What?", Sampling(max_tokens=3)))
    engine.close()
    assert (answer.text, answer.finish) == ("a\ufffd", "length")


def test_coordinates_that_creep_without_end_are_ended(tiny_pair: Pair) -> None:
    class Scripted(NativeEngine):
        new_sampler = staticmethod(ScriptedSampler)

    engine = Scripted(check_pair(*tiny_pair), make_settings(n_ctx=2048, threads=1))
    tokens = [engine.token_id(f"<{axis}_{n}>") for n in range(300) for axis in "xy"]
    ScriptedSampler.script = [token for token in tokens if token is not None]
    answer = collect(engine.open(Prefix(picture(1))).generate("What?", Sampling(max_tokens=600)))
    engine.close()
    assert answer.finish == "loop"
    assert answer.text.startswith("<x_0><y_0><x_1>")


def test_a_context_beyond_the_models_own_is_refused(tiny_pair: Pair) -> None:
    with pytest.raises(InputError, match="n_ctx must be at most 32768, the model's own context; got 2000000000"):
        load(tiny_pair, n_ctx=2_000_000_000)


@pytest.mark.parametrize("n_ctx", [1, 2, 7, 8, 31])
def test_a_context_too_small_for_anything_is_refused_at_the_image(tiny_pair: Pair, n_ctx: int) -> None:
    loaded = load(tiny_pair, n_ctx=n_ctx)
    with pytest.raises(InputError, match=f"n_ctx={n_ctx}"):
        loaded.open(Prefix(picture(1)))
    loaded.close()


def test_the_tap_is_in_use_with_the_pinned_version(engine: NativeEngine) -> None:
    assert engine.hidden_way == "nextn"


def test_both_ways_of_reading_states_agree(tiny_pair: Pair) -> None:
    """In slices of the same length: llama.cpp's kernels round differently for other lengths."""
    prefix = Prefix(picture(3, 320, 288))  # 90 tokens: more than one slice
    states = []
    for way in ("nextn", "embeddings"):
        loaded = load(tiny_pair, hidden_way=way, n_batch=64)
        states.append(loaded.open(prefix).patches().hidden)
        loaded.close()
    assert np.abs(states[0] - states[1]).max() <= 1e-4


def test_the_length_of_slices_changes_states_only_by_rounding(tiny_pair_f32: Pair) -> None:
    """Cosine 0.9999 per token: the cache and CPU attention hold keys and values in 16 bits."""
    prefix = Prefix(picture(3, 320, 288))
    states = []
    for n_batch in (512, 7):
        loaded = load(tiny_pair_f32, n_batch=n_batch)
        hidden = loaded.open(prefix).patches().hidden
        states.append(hidden / np.linalg.norm(hidden, axis=-1, keepdims=True))
        loaded.close()
    assert (states[0] * states[1]).sum(axis=-1).min() >= 0.9999


def test_logits_after_a_fork_are_bit_identical_every_time(engine: NativeEngine) -> None:
    session = engine.open(Prefix(picture(1)))
    first = session.last_logits("How many?")
    collect(session.generate("Something else entirely, and longer.", GREEDY))
    assert np.array_equal(session.last_logits("How many?"), first)


def test_displaced_prefix_is_decoded_again_but_not_encoded_again(engine: NativeEngine) -> None:
    first, second = engine.open(Prefix(picture(1))), engine.open(Prefix(picture(2)))
    first.patches()
    encode_s = first.cost.encode_s
    collect(second.generate("Why?", GREEDY))
    collect(first.generate("Why?", GREEDY))
    assert first.cost.encode_s - encode_s < encode_s
    assert first.cost.prefill_s > 0


@pytest.mark.parametrize("way", ["nextn", "embeddings"])
def test_states_read_aside_leave_the_resident_prefix_in_place(tiny_pair: Pair, way: str) -> None:
    """Tolerance: attention passes over the resident prefix's cells, masked, which changes the order of sums."""
    loaded = load(tiny_pair, hidden_way=way)
    first, second, alone = (loaded.open(Prefix(picture(seed))) for seed in (1, 2, 2))
    logits = first.last_logits("How many?")
    prefill_s = first.cost.prefill_s
    aside = second.patches(aside=True).hidden
    assert np.array_equal(first.last_logits("How many?"), logits)
    assert first.cost.prefill_s == prefill_s
    assert np.abs(alone.patches().hidden - aside).max() <= 1e-2 * np.abs(aside).max()
    assert collect(second.generate("Why?", GREEDY)).n_tokens
    loaded.close()


def test_states_read_aside_take_the_prefixs_place_where_the_context_is_short(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair, n_ctx=256)
    first, second = loaded.open(Prefix(picture(1))), loaded.open(Prefix(picture(2, 384, 512)))
    collect(first.generate("Why?", GREEDY))
    prefill_s = first.cost.prefill_s
    assert second.patches(aside=True).grid == (12, 16)
    collect(first.generate("Why?", GREEDY))
    assert first.cost.prefill_s > prefill_s
    loaded.close()


def test_two_prefixes_of_one_image_share_its_encoding(engine: NativeEngine) -> None:
    plain, asked = engine.open(Prefix(picture(1))), engine.open(Prefix(picture(1), before="NYUv2"))
    plain.patches()
    asked.patches()
    assert asked.cost.encode_s < 0.1 * plain.cost.encode_s


def test_states_of_image_tokens_do_not_depend_on_what_follows_them(engine: NativeEngine) -> None:
    session = engine.open(Prefix(picture(1)))
    before = session.patches().hidden.copy()
    collect(session.generate("Segment: a, b", GREEDY))
    assert np.array_equal(session.patches().hidden, before)


def test_image_that_does_not_fit_the_context_names_both_numbers_and_the_setting(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair, n_ctx=256)
    with pytest.raises(InputError, match=r"needs \d+ positions, 400 .* n_ctx=256. Raise n_ctx or lower image_max_tok"):
        loaded.open(Prefix(picture(1, 640, 640)))
    loaded.close()


def test_question_that_does_not_fit_the_context_is_refused(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair, n_ctx=256)
    session = loaded.open(Prefix(picture(1)))
    with pytest.raises(InputError, match="n_ctx=256"):
        collect(session.generate("why " * 200, GREEDY))
    assert collect(session.generate("why", GREEDY)).n_tokens
    loaded.close()


def test_answer_that_fills_the_context_ends_with_length_and_keeps_its_text(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair, n_ctx=256)
    session = loaded.open(Prefix(picture(1)))
    answers = [collect(session.generate(f"why {i}?", Sampling(max_tokens=1000, seed=i))) for i in range(4)]
    assert all(answer.text for answer in answers)
    assert any(answer.finish == "length" and answer.n_tokens > 50 for answer in answers)
    loaded.close()


def test_answers_about_two_images_can_be_streamed_side_by_side(engine: NativeEngine) -> None:
    sessions = [engine.open(Prefix(picture(seed))) for seed in (1, 2)]
    alone = [collect(session.generate("Why?", GREEDY)).text for session in sessions]
    streams = [session.generate("Why?", GREEDY) for session in sessions]
    mixed = zip(*streams, strict=False)
    assert ["".join(piece.text for piece in pieces) for pieces in zip(*mixed, strict=True)] == alone


def test_an_image_for_which_unfinished_answers_leave_no_room_is_refused(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair, n_ctx=256)
    first, second = loaded.open(Prefix(picture(1))), loaded.open(Prefix(picture(2, 384, 512)))
    stream = first.generate("Why?", GREEDY)
    next(stream)
    with pytest.raises(EngineError, match="leave no room"):
        second.patches()
    stream.close()
    assert second.patches().hidden.size
    loaded.close()


def test_a_ninth_stream_is_refused_and_a_finished_one_makes_room(engine: NativeEngine) -> None:
    session = engine.open(Prefix(picture(1)))
    streams = [session.generate(f"Why {i}?", GREEDY) for i in range(8)]
    for stream in streams:
        next(stream)
    with pytest.raises(EngineError, match="8 answers of at most 8 are being streamed"):
        next(session.generate("Why?", GREEDY))
    streams[0].close()
    assert next(session.generate("Why?", GREEDY)).n_tokens == 1


def test_a_stream_of_a_closed_model_ends_with_an_error(tiny_pair: Pair) -> None:
    loaded = load(tiny_pair)
    stream = loaded.open(Prefix(picture(1))).generate("Why?", GREEDY)
    next(stream)
    loaded.close()
    with pytest.raises(EngineError, match="closed while it was answering"):
        next(stream)


def test_special_tokens_are_found_by_their_text(engine: NativeEngine) -> None:
    ids = [engine.token_id(t) for t in ("<x_0>", "<y_0>", "<custom_1>", "<custom_1000>", "<|vision_start|>")]
    assert None not in ids
    assert ids[1] == ids[0] + 1  # type: ignore[operator]
    assert engine.token_id("<custom_1001>") is None


def test_text_that_looks_like_a_control_token_is_plain_text_for_class_names(engine: NativeEngine) -> None:
    assert len(engine.tokenize("<|vision_start|>")) > 1


def test_head_rows_times_states_are_llama_cpps_own_logits(tiny_pair: Pair) -> None:
    """Both use the same Q8_0 rows. llama.cpp rounds the states to 8 bits in blocks of 32 as well, so each product is
    off by at most 1/254 of its block's largest state: 1 % of the logits' range is a safe bound on the sum."""
    loaded = load(tiny_pair, hidden_way="embeddings")
    session = loaded.open(Prefix(picture(4)))
    embeddings = loaded.vision.encode(session.prefix.image)
    states = loaded.context.decode_states(embeddings, 0, no_progress, 0)
    pointer = lib.llama_get_logits(loaded.context.handle)
    own = np.ctypeslib.as_array(pointer, shape=(len(states), loaded.model.n_vocab)).copy()
    ours = states @ loaded.head.rows(range(own.shape[1])).T
    assert np.abs(ours - own).max() <= 0.01 * np.ptp(own)
    loaded.close()


@pytest.mark.parametrize("name", HARMLESS_MODELS)
def test_llama_cpp_loads_what_the_checks_let_pass(name: str, tiny_pair: Pair, tmp_path: Path) -> None:
    model = write_edited(tmp_path / "model.gguf", "model", HARMLESS_MODELS[name])
    load((model, tiny_pair[1])).close()
