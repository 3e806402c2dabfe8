"""Clients of chats that hang up: their answers end, in every protocol, streamed or not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import youtu_gguf as yg
from tests.serve.conftest import ServeApp
from youtu_gguf.engines.base import Piece
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine

LONGEST_S = 20.0

HI = [{"role": "user", "content": "What?"}]
REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI},
    "/v1/responses": {"input": "What?"},
    "/api/chat": {"model": "youtu-vl", "messages": HI},
    "/api/generate": {"model": "youtu-vl", "prompt": "What?"},
}


class Endless(FakeEngine):
    """Gives some pieces, and then waits until it is cancelled."""

    def __init__(self, n_pieces: int) -> None:
        super().__init__()
        self.n_pieces = n_pieces
        self.began, self.cancelled = threading.Event(), threading.Event()

    def open(self, prefix: Any) -> Any:
        session = super().open(prefix)

        def words(_question: str, _sampling: Any, cancel: threading.Event | None) -> Iterator[Piece]:
            for _ in range(self.n_pieces):
                yield Piece("Well, ", n_tokens=1)
            self.began.set()
            assert cancel is not None
            if cancel.wait(LONGEST_S):
                self.cancelled.set()
            yield Piece("", finish="cancelled")

        session._words = words
        return session


@pytest.mark.parametrize("path", REQUESTS)
def test_a_streamed_answer_ends_when_its_client_hangs_up(serve_app: ServeApp, path: str) -> None:
    engine = Endless(n_pieces=1)
    url = serve_app(lambda: yg.load(engine=engine), ServeSettings(n_answers=1))
    body = {**REQUESTS[path], "stream": True}
    with httpx.stream("POST", f"{url}{path}", json=body, timeout=LONGEST_S) as answer:
        assert next(answer.iter_bytes())
    assert engine.cancelled.wait(LONGEST_S)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", REQUESTS)
def test_an_answer_ends_when_its_client_hangs_up_before_it_begins(serve_app: ServeApp, path: str, stream: bool) -> None:
    engine = Endless(n_pieces=0)
    url = serve_app(lambda: yg.load(engine=engine), ServeSettings(n_answers=1))
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{url}{path}", json={**REQUESTS[path], "stream": stream}, timeout=httpx.Timeout(LONGEST_S, read=0.3)
        )
    assert engine.began.wait(LONGEST_S)
    assert engine.cancelled.wait(LONGEST_S)
