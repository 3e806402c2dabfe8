"""What a stream sends while there is nothing to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

from youtu_gguf.serve.streams import PieceResponse

SILENCE_S = 0.05


async def slow_chunks(pause_s: float) -> AsyncGenerator[bytes, None]:
    yield b"first"
    await asyncio.sleep(pause_s)
    yield b"last"


def sent(pause_s: float, ping: bytes) -> list[bytes]:
    """Return the bodies that a client gets, one message each."""
    bodies: list[bytes] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            bodies.append(message["body"] if message["more_body"] else b"end")

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def answer() -> None:
        await PieceResponse(slow_chunks(pause_s), ping=ping, ping_s=SILENCE_S)({}, receive, send)
        await asyncio.sleep(2 * SILENCE_S)  # nothing comes after the end

    asyncio.run(answer())
    return bodies


def test_silence_is_filled_with_pings_until_the_next_piece() -> None:
    bodies = sent(10 * SILENCE_S, b"ping")
    assert (bodies[0], bodies[-2:]) == (b"first", [b"last", b"end"])
    assert set(bodies[1:-2]) == {b"ping"}


def test_a_protocol_without_pings_stays_silent() -> None:
    assert sent(3 * SILENCE_S, b"") == [b"first", b"last", b"end"]


def test_a_stream_that_keeps_talking_sends_no_pings() -> None:
    assert sent(0, b"ping") == [b"first", b"last", b"end"]
