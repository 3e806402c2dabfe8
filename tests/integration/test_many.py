"""Several questions at once on the native engine."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import youtu_gguf as yg
from tests.conftest import ON_PROCESSOR, Pair

GREY = np.full((60, 200, 3), 128, np.uint8)


def test_more_questions_than_the_context_has_sequences_are_all_answered(tiny_pair: Pair) -> None:
    with yg.load(*tiny_pair, threads=1, max_tokens=6) as model:
        scene = model.open(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8))
        texts = scene.many([("ask", f"What is thing {i}?") for i in range(20)])
        assert [text.timings.n_generated for text in texts] == [6] * 20
        maps = scene.many([("depth",), ("refer", None, (8, 8, 60, 60)), ("ask", "Why?")])
        assert [type(value) for value in maps] == [yg.DepthMap, yg.Mask, yg.Text]


def test_each_answer_of_many_can_be_cancelled_and_keeps_what_it_has(tiny_pair: Pair) -> None:
    with yg.load(*tiny_pair, threads=1, max_tokens=30) as model:
        scene = model.open(np.zeros((64, 64, 3), np.uint8))
        cancel = threading.Event()
        questions = [yg.Question("ask", ("One?",), {"cancel": cancel}), yg.Question("ask", ("Two?",))]
        ends = {}
        for update in scene.many(questions, stream=True):
            if update.index == 0 and update.text:
                cancel.set()
            if update.result is not None:
                ends[update.index] = update.result
    assert ends[0].finish == "cancelled"
    assert 1 <= ends[0].timings.n_generated < 30
    assert ends[1].timings.n_generated == 30


@pytest.mark.parametrize("n_ctx", [800, 2048])  # room for the prefix of one click, and for all
def test_on_the_native_engine_clicks_and_other_questions_do_not_wait_for_each_other(
    n_ctx: int, tiny_pair: Pair
) -> None:
    questions = [
        ("click", "open it"), ("ask", "What?"), ("reason", "Why?"), ("count", "cat", "detection"),
        ("click", "close it"), ("segment", ["cat", "sky"], "all"), ("classify",),
    ]  # fmt: skip
    with yg.load(*tiny_pair, threads=1, max_tokens=6, n_ctx=n_ctx, **ON_PROCESSOR) as model:
        scene = model.open(GREY)
        alone = [scene.click("open it").raw, scene.ask("What?").raw]
        found: list[yg.Result] = []
        worker = threading.Thread(target=lambda: found.extend(model.open(GREY).many(questions)), daemon=True)
        worker.start()
        worker.join(600)
        assert not worker.is_alive()
    assert [type(result).__name__ for result in found] == [
        "Action", "Text", "Text", "Count", "Action", "LabelMap", "Text",
    ]  # fmt: skip
    assert [found[0].raw, found[1].raw] == alone
