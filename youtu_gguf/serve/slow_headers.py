"""How slowly a request may begin: uvicorn itself waits for ever for a header that comes byte by byte, or not at all."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 30.0
"""From the connection, or the first byte of a later request, to the end of its header."""


class TimedProtocol(H11Protocol):
    """Ends connections whose next request does not begin in time. Idle ones are uvicorn's matter."""

    header_s: ClassVar[float] = HEADER_S

    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's is
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a header, or no longer."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the rest of the header that came with the last request, where one did."""
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._look()

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._ending is None:
            self._wait()

    def _wait(self) -> None:
        self._ending = self.loop.call_later(self.header_s, self._end)

    def _stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
