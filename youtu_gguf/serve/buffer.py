"""Events on their way from a worker thread to a reader, who may be slow. For the event loop's thread alone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable

from youtu_gguf.serve.events import Event, Piece, Progress, Queued

MERGED_FROM = 64
"""Unread events from which on later ones are merged with them: pieces are joined, and only the newest progress counts.

The memory for a client that does not read is thereby bounded by the length of its answers, and no worker waits for it.
"""


class EventBuffer:
    """Unread events, in the order in which they happened."""

    def __init__(self) -> None:
        self._unread: deque[list[Event]] = deque()  # lists of one event each, which may be replaced
        self._newest: dict[Hashable, list[Event]] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._unread)

    def put(self, event: Event) -> None:
        """Add an event; after `close` it is dropped."""
        if self._closed:
            return
        kind = _kind(event)
        before = self._newest.get(kind) if kind is not None and len(self._unread) >= MERGED_FROM else None
        if before is None:
            self._unread.append([event])
            self._newest[kind] = self._unread[-1]
        else:
            before[0] = _merged(before[0], event)
        self._changed.set()

    def close(self) -> None:
        """Add no more events; those that are unread can still be read."""
        self._closed = True
        self._changed.set()

    async def next(self) -> Event | None:
        """Wait for the next event; None after the last one."""
        while not self._unread:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        first = self._unread.popleft()
        kind = _kind(first[0])
        if self._newest.get(kind) is first:
            del self._newest[kind]
        return first[0]


def _kind(event: Event) -> Hashable:
    """Return what events must share to be merged; None for those that never are."""
    match event:
        case Piece():
            return Piece, event.index
        case Progress():
            return Progress, event.index, event.stage
        case Queued():
            return Queued
    return None


def _merged(before: Event, after: Event) -> Event:
    if isinstance(before, Piece) and isinstance(after, Piece):
        return Piece(before.index, before.text + after.text)
    return after
