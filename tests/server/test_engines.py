"""Both engines that answer over HTTP, held to the contract of all engines and to the native engine's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR
from tests.engine_contract import EngineContract
from tests.server.conftest import NANO, Serve, address_of
from youtu_gguf.engines.base import Engine
from youtu_gguf.types import U8

QUESTIONS: list[tuple[object, ...]] = [
    ("describe",),
    ("ocr",),
    ("classify",),
    ("count", "red"),
    ("ground", "the red circle"),
    ("detect", None),
    ("detect", ["red circle"]),
    ("polygon", "the red circle"),
    ("pose",),
    ("ask", "What is in the picture? Where is it?"),
]
"""Every task that is answered in text."""


EXACT = 60
"""Batches of so many tokens: from 64 on llama.cpp's attention rounds differently, and an answer may depend on what is
decoded beside it; below, its numbers are the same to the bit."""


def answers(model: yg.Model, rgb: U8) -> list[str]:
    """Ask everything, one after the other: side by side llama.cpp rounds differently."""
    scene = model.open(rgb)
    return [getattr(scene, str(task))(*arguments).raw for task, *arguments in QUESTIONS]


class TestServerEngine(EngineContract):
    @pytest.fixture
    def engine(self, serve: Serve) -> Engine:
        return serve(n_batch=EXACT, **ON_PROCESSOR).engine


class TestRemoteEngine(EngineContract):
    @pytest.fixture
    def engine(self, serve: Serve) -> Iterator[Engine]:
        url, key = address_of(serve(n_batch=EXACT, **ON_PROCESSOR))
        with yg.load(engine=url, api_key=key) as model:
            yield model.engine


def test_native_server_and_remote_answer_alike(serve: Serve) -> None:
    alike = {**NANO, **ON_PROCESSOR, "n_batch": EXACT}
    server = serve(**alike)
    url, key = address_of(server)
    with yg.load("nano", **alike) as native, yg.load(engine=url, api_key=key, **alike) as remote:
        for seed in range(3):
            rgb = draw(TEST_SEEDS + seed).rgb
            expected, *others = (answers(model, rgb) for model in (native, server, remote))
            assert others == [expected, expected]


def test_boxes_and_scores_of_a_server_are_those_of_the_native_engine(serve: Serve) -> None:
    rgb = draw(TEST_SEEDS + 5).rgb
    with yg.load("nano", **NANO, **ON_PROCESSOR) as native:
        expected = native.open(rgb).detect(scores=True)
    found = serve(**ON_PROCESSOR).open(rgb).detect(scores=True)
    assert len(expected) > 0
    assert found.labels == expected.labels
    assert (found.xyxy == expected.xyxy).all()
    assert expected.scores is not None and found.scores == pytest.approx(expected.scores, abs=1e-3)


def test_number_of_tokens_is_that_of_the_native_engine(serve: Serve) -> None:
    rgb = draw(TEST_SEEDS + 5).rgb
    with yg.load("nano", **NANO, **ON_PROCESSOR) as native:
        expected = native.open(rgb).describe()
    found = serve(**ON_PROCESSOR).open(rgb).describe()
    assert found.finish == expected.finish == "stop"
    assert found.timings is not None and expected.timings is not None
    assert found.timings.n_generated == expected.timings.n_generated


def test_streamed_pieces_are_the_answer(serve: Serve) -> None:
    scene = serve().open(draw(TEST_SEEDS + 5).rgb)
    assert "".join(scene.describe(stream=True)) == scene.describe().raw


def test_images_that_together_fill_the_context_end_in_an_error_that_says_so(serve: Serve) -> None:
    scene = serve(n_ctx=128, n_slots=4).open(draw(TEST_SEEDS).rgb)  # 80 image tokens, and no room for another 80
    updates = scene.many([("ask", f"What is number {i}?") for i in range(4)], stream=True)
    ends = [update for update in updates if update.result is not None or update.error is not None]
    assert len(ends) == 4
    errors = [end.error for end in ends if end.error is not None]
    assert errors
    for error in errors:
        assert isinstance(error, yg.ServerError) and error.retry, error
        assert "a lower n_slots or a higher n_ctx" in str(error)
    assert scene.ask("And alone?").finish == "stop"


def test_a_server_holds_answers_to_a_json_schema(serve: Serve) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "of": {"enum": ["a", "b"]}}}
    model = serve(json_schema=schema | {"required": ["n", "of"]})
    answer = model.open(draw(TEST_SEEDS).rgb).ask("How many?")
    found = json.loads(answer.raw)
    assert (answer.finish, type(found["n"]), found["of"] in ("a", "b")) == ("stop", int, True)
