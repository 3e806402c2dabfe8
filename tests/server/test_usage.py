"""What servers say of the tokens of a prompt, each in its own words, and the listener of one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from tests.loopback_chat import Chat, Reply, event, serving, words

PICTURE = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
END = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
PROGRESS = event({"choices": [], "prompt_progress": {"total": 26, "cache": 9, "processed": 20, "time_ms": 3}})


def last(**fields: Any) -> bytes:
    return END + event({"choices": [], **fields}) + event(b"[DONE]")


OPENAI = {"prompt_tokens": 26, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 11}}
SAID: dict[str, tuple[tuple[bytes, ...], tuple[int, int]]] = {
    "OpenAI": ((last(usage=OPENAI),), (26, 11)),
    "without details": ((last(usage={**OPENAI, "prompt_tokens_details": None}),), (26, 0)),
    "llama-server": ((last(timings={"cache_n": 7, "prompt_n": 19}),), (26, 7)),
    "both": ((last(usage={"prompt_tokens": 26}, timings={"cache_n": 7, "prompt_n": 19}),), (26, 7)),
    "progress": ((PROGRESS, last()), (26, 9)),
    "nothing": ((last(),), (0, 0)),
    "nonsense": ((last(usage={"prompt_tokens": "26", "prompt_tokens_details": 3}),), (0, 0)),
    "more than there are": ((last(usage={**OPENAI, "prompt_tokens_details": {"cached_tokens": 99}}),), (26, 26)),
}


@pytest.mark.parametrize("said", SAID)
def test_the_tokens_of_a_prompt_are_those_that_the_server_says(said: str) -> None:
    body, expected = SAID[said]
    with serving(Chat([Reply((words("two "), words("words"), *body))])) as chat, yg.load(engine=chat.url) as model:
        timings = model.open(PICTURE).ask("Why?").timings
    assert (timings.n_prompt, timings.n_cached) == expected


def test_an_answer_that_was_cut_keeps_what_was_said_before() -> None:
    reply = Reply((PROGRESS, words("one "), words("two three")), silent=True)
    with serving(Chat([reply])) as chat, yg.load(engine=chat.url) as model:
        answer = model.open(PICTURE).ask("Why?", stop=["two"])
    assert (answer.raw, answer.timings.n_prompt, answer.timings.n_cached) == ("one ", 26, 9)


@pytest.mark.parametrize("together", [False, True])
def test_the_listener_of_a_run_hears_what_the_models_own_hears(*, together: bool) -> None:
    loaded: list[tuple[str, int, int]] = []
    own: list[tuple[str, int, int]] = []
    reply = Reply((PROGRESS, words("two "), words("words"), last(usage=OPENAI)))
    with (
        serving(Chat([reply])) as chat,
        yg.load(engine=chat.url, progress=lambda *step: loaded.append(step), max_tokens=9) as model,
    ):
        scene = model.open(PICTURE)
        if together:
            scene.many([yg.Question("ask", ("Why?",), {"progress": lambda *step: own.append(step)})])
        else:
            scene.ask("Why?", progress=lambda *step: own.append(step))
        assert own == loaded == [("prefill", 20, 26), ("generate", 1, 9), ("generate", 2, 9)]
        scene.ask("Why?")
        assert len(own) == 3 < len(loaded)
        assert model.counts().generated_tokens == 0
