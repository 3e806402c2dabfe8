"""What a third-party server lists of its models, and what is learned from its refusals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import youtu_gguf as yg
from tests.loopback_chat import Chat, Reply, event, serving, words

PICTURE = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with serving(Chat()) as started:
        yield started


def test_the_first_model_that_is_listed_is_asked_unless_one_is_named(chat: Chat) -> None:
    with yg.load(engine=chat.url) as model:
        model.open(PICTURE).ask("Why?")
    with yg.load("another", engine=chat.url) as model:
        model.open(PICTURE).ask("Why?")
    assert [body["model"] for body in chat.bodies] == ["the-model", "another"]


def test_an_answer_that_has_begun_is_not_asked_for_again_with_less(chat: Chat) -> None:
    full = event({"error": {"code": 400, "message": "This model's maximum context length is 900 tokens."}})
    chat.replies = [Reply((words("two "), full))]
    with yg.load(engine=chat.url, retries=5) as model, pytest.raises(yg.InputError, match="900 tokens"):
        model.open(PICTURE).ask("Why?")
    assert len(chat.bodies) == 1


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("listed", ["no", {"data": []}, {"error": "no such path"}])
def test_a_named_model_needs_no_list(chat: Chat, listed: object, status: int) -> None:
    chat.models, chat.models_status = listed, status
    with yg.load("named", engine=chat.url) as model:
        assert model.open(PICTURE).ask("Why?").raw == "two words"
    assert {"repeat_penalty", "repetition_penalty"} <= chat.bodies[0].keys()


@pytest.mark.parametrize("listed", [{}, [], {"data": []}, {"data": [{}]}, "no", None])
def test_a_server_that_lists_no_model_is_refused(chat: Chat, listed: object) -> None:
    chat.models = listed
    with pytest.raises(yg.EngineError, match="must list its models"):
        yg.load(engine=chat.url)
