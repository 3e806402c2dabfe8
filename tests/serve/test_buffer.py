"""Events between a worker thread and its reader."""

from __future__ import annotations

import asyncio

from youtu_gguf.serve.buffer import MERGED_FROM, EventBuffer
from youtu_gguf.serve.events import Event, Finished, Piece, Progress, Queued


async def read_all(buffer: EventBuffer) -> list[Event]:
    found = []
    while (event := await buffer.next()) is not None:
        found.append(event)
    return found


def test_events_are_read_in_the_order_in_which_they_came() -> None:
    async def read() -> list[Event]:
        buffer = EventBuffer()
        for n in range(10):
            buffer.put(Piece(0, str(n)))
            buffer.put(Progress(0, "generate", n, 10))
        buffer.close()
        return await read_all(buffer)

    events = asyncio.run(read())
    assert events[::2] == [Piece(0, str(n)) for n in range(10)]
    assert events[1::2] == [Progress(0, "generate", n, 10) for n in range(10)]


def test_a_reader_who_falls_behind_gets_all_text_in_few_events() -> None:
    async def read() -> list[Event]:
        buffer = EventBuffer()
        for n in range(10_000):
            buffer.put(Progress(0, "generate", n, 10_000))
            buffer.put(Piece(n % 3, f"{n} "))
            buffer.put(Queued(n, 1.0))
        for index in range(3):
            buffer.put(Finished(index, index))
        assert len(buffer) < MERGED_FROM + 10
        buffer.close()
        return await read_all(buffer)

    events = asyncio.run(read())
    for index in range(3):
        own = [event for event in events if isinstance(event, Piece | Finished) and event.index == index]
        assert isinstance(own.pop(), Finished)
        text = "".join(event.text for event in own if isinstance(event, Piece))
        assert text.split() == [str(n) for n in range(10_000) if n % 3 == index]
    assert [event for event in events if isinstance(event, Progress)][-1].done == 9_999


def test_a_reader_who_catches_up_gets_events_one_by_one_again() -> None:
    async def read() -> list[Event]:
        buffer = EventBuffer()
        for _ in range(2 * MERGED_FROM):
            buffer.put(Piece(0, "."))
        for _ in range(MERGED_FROM):
            await buffer.next()
        buffer.put(Piece(0, "a"))
        buffer.put(Piece(0, "b"))
        buffer.close()
        return await read_all(buffer)

    assert asyncio.run(read()) == [Piece(0, "a"), Piece(0, "b")]


def test_what_comes_after_the_end_is_dropped() -> None:
    async def read() -> list[Event]:
        buffer = EventBuffer()
        buffer.put(Piece(0, "a"))
        buffer.close()
        buffer.put(Piece(0, "b"))
        return await read_all(buffer)

    assert asyncio.run(read()) == [Piece(0, "a")]
