"""What the native engine remembers of images: in the context, in memory, on disk; and several threads at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR, Pair
from tests.engine_contract import GREEDY, picture
from tests.integration.test_native_engine import load
from tests.integration.test_soak import script
from youtu_gguf.engines.base import PrefixCost, Request, collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.memory import N_SEQUENCES
from youtu_gguf.engines.prefix import Prefix


@pytest.fixture
def engine(tiny_pair: Pair) -> Iterator[NativeEngine]:
    loaded = load(tiny_pair)
    yield loaded
    loaded.close()


def count_encodings(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    encoded: list[str] = []
    encode = engine.vision.encode

    def counted(image: Any, **options: Any) -> Any:
        encoded.append(image.digest)
        return encode(image, **options)

    monkeypatch.setattr(engine.vision, "encode", counted)
    return encoded


def test_a_displaced_image_comes_back_with_the_same_answers_and_nothing_is_decoded(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = count_encodings(engine, monkeypatch)
    first, second = engine.open(Prefix(picture(1))), engine.open(Prefix(picture(2)))
    logits, answer = first.last_logits("How many?"), collect(first.generate("Why?", GREEDY))
    collect(second.generate("Why?", GREEDY))
    prefill = len(encoded)
    monkeypatch.setattr(engine.readings, "read", None)
    assert np.array_equal(first.last_logits("How many?"), logits)
    assert collect(first.generate("Why?", GREEDY)).text == answer.text
    assert len(encoded) == prefill == 2


def test_a_closed_image_opened_again_is_known(engine: NativeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = count_encodings(engine, monkeypatch)
    session = engine.open(Prefix(picture(1)))
    hidden = session.patches().hidden
    session.close()
    collect(engine.open(Prefix(picture(2))).generate("Why?", GREEDY))
    again = engine.open(Prefix(picture(1)))
    assert np.array_equal(again.patches().hidden, hidden)
    assert again.cost == PrefixCost()
    assert len(encoded) == 2


def test_without_a_cache_an_image_is_looked_at_again(tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(tiny_pair, cache_bytes=0)
    encoded = count_encodings(engine, monkeypatch)
    for seed in (1, 2, 1):
        collect(engine.open(Prefix(picture(seed))).generate("Why?", GREEDY))
    assert len(encoded) == 3
    assert engine.cache.nbytes == 0
    engine.close()


def test_the_cache_stays_within_its_bound(tiny_pair: Pair) -> None:
    engine = load(tiny_pair, cache_bytes=60_000)
    for seed in range(12):
        collect(engine.open(Prefix(picture(seed))).generate("Why?", GREEDY))
        assert engine.cache.nbytes <= 60_000
    assert engine.cache.nbytes > 20_000
    engine.close()


def test_a_file_that_was_overwritten_is_another_image(tiny_pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    with yg.load(*tiny_pair, threads=1) as model:
        Image.fromarray(picture(1).rgb).save(path)
        first = model.open(path).patches().hidden
        Image.fromarray(picture(2).rgb).save(path)
        assert not np.array_equal(model.open(path).patches().hidden, first)


def test_another_process_finds_the_states_on_disk_and_answers_alike(
    tiny_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(tiny_pair, cache_dir=tmp_path)
    session = engine.open(Prefix(picture(1)))
    logits, hidden = session.last_logits("How many?"), session.patches().hidden
    engine.close()
    again = load(tiny_pair, cache_dir=tmp_path)
    encoded = count_encodings(again, monkeypatch)
    reopened = again.open(Prefix(picture(1)))
    assert np.array_equal(reopened.patches().hidden, hidden)
    assert np.array_equal(reopened.last_logits("How many?"), logits)
    assert encoded == []
    assert reopened.cost.encode_s == 0
    again.close()


def test_a_damaged_file_on_disk_is_not_handed_to_llama_cpp(tiny_pair: Pair, tmp_path: Path) -> None:
    engine = load(tiny_pair, cache_dir=tmp_path)
    logits = engine.open(Prefix(picture(1))).last_logits("How many?")
    engine.close()
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    again = load(tiny_pair, cache_dir=tmp_path)
    assert np.array_equal(again.open(Prefix(picture(1))).last_logits("How many?"), logits)
    again.close()


def test_answers_side_by_side_are_the_prompts_own(engine: NativeEngine) -> None:
    """Long and short questions, more than there are sequences, one of them longer than a slice."""
    session = engine.open(Prefix(picture(1)))
    parallel = session.parallel()
    questions = [f"Question {i}? " * (1 + 60 * (i == 3)) for i in range(11)]
    numbers = [parallel.add(Request(question, GREEDY)) for question in questions]
    counts = dict.fromkeys(numbers, 0)
    ended = []
    while len(ended) < len(numbers):
        for number, piece in parallel.step():
            assert not isinstance(piece, Exception)
            counts[number] += piece.n_tokens
            if piece.finish is not None:
                ended.append(number)
    assert sorted(ended) == numbers
    assert all(counts.values())
    assert parallel.step() == []
    parallel.close()
    assert engine.prefixes.n_answers == 0


def test_answers_got_together_are_those_got_one_by_one() -> None:
    with yg.load("nano", threads=1, temperature=0.0, max_tokens=60, **ON_PROCESSOR) as model:
        asked, differed = script("together").run(model, 3)
    assert asked.total() == 27
    assert +differed == {}


def test_threads_get_the_answers_of_a_single_thread() -> None:
    pictures = [draw(TEST_SEEDS + seed).rgb for seed in range(3)]
    with yg.load("nano", threads=1, n_ctx=1024, temperature=0.0, max_tokens=60, **ON_PROCESSOR) as model:
        tally = script("threads").run(model, pictures, n_threads=6, seconds=4.0)
    assert set(+tally) <= {"right", "tie"}
    assert tally["right"] > 20


def test_memory_settles_over_many_images(tiny_pair: Pair) -> None:
    soak = script("images")
    with yg.load(*tiny_pair, threads=1, max_tokens=4, cache_bytes=1 << 20) as model:
        memory, largest = soak.run(model, 24, first=12)
    assert memory[-1] - memory[0] <= soak.MOST_GROWTH_MB
    assert largest <= 1 << 20


def test_while_an_answer_is_streamed_any_number_of_other_images_may_be_asked(engine: NativeEngine) -> None:
    """More than there are sequences: the prefixes that nobody uses make way."""
    stream = engine.open(Prefix(picture(0))).generate("Why?", GREEDY)
    next(stream)
    for seed in range(1, N_SEQUENCES + 3):
        assert collect(engine.open(Prefix(picture(seed))).generate("Why?", GREEDY)).n_tokens
    assert collect(stream).finish is not None
