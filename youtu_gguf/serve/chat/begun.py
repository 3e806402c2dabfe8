"""The events of a request whose first one was waited for, so that an error that comes at once is no streamed answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from youtu_gguf.serve.calls import hang_up
from youtu_gguf.serve.core import ClientGoneError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import Request

    from youtu_gguf.serve.events import Event

AT_ONCE_S = 1.0
"""How long the first event is waited for. That a conversation does not fit into the context shows within that."""


class Begun:
    """Events, the first of which is there or under way. Close it when done: that cancels the work."""

    def __init__(self, first: asyncio.Task[Event], events: AsyncGenerator[Event, None]) -> None:
        self._first: asyncio.Task[Event] | None = first
        self._events = events

    def __aiter__(self) -> Begun:
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            ApiError: The request failed.
        """
        if self._first is None:
            return await anext(self._events)
        event = await self._first
        self._first = None
        return event

    async def aclose(self) -> None:
        """Cancel the work. Safe to call twice."""
        if self._first is not None:
            self._first.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._first
            self._first = None
        await self._events.aclose()


async def begun(request: Request, events: AsyncGenerator[Event, None]) -> Begun:
    """Wait for the first event, at most `AT_ONCE_S`.

    The body of `request` must have been read: what comes after it is the hang-up.

    Raises:
        ApiError: The request failed by then.
        ClientGoneError: The client hung up by then.
    """
    first: asyncio.Task[Event] = asyncio.ensure_future(_first(events))
    gone = asyncio.ensure_future(hang_up(request.receive))
    found = Begun(first, events)
    try:
        await asyncio.wait((first, gone), timeout=AT_ONCE_S, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not first.done():
            raise ClientGoneError
        if first.done():
            first.result()
    except BaseException:
        await found.aclose()
        raise
    finally:
        gone.cancel()
    return found


async def _first(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)
