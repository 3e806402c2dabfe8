"""What this process connects to, and names that it resolves, for tests of fetching."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fetch import Fetcher


class Sockets:
    """Connections that this process tries to make, while it is listened to; those beyond loopback are stopped."""

    def __init__(self) -> None:
        self.connected: list[tuple[Any, ...]] = []
        self.listening = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.listening and event == "socket.connect":
            self.connected.append(arguments[1][:2])
            if not arguments[1][0].startswith("127."):
                raise OSError("stopped by the test")


SOCKETS = Sockets()


@contextmanager
def connections() -> Iterator[list[tuple[Any, ...]]]:
    """Give the list of addresses that are connected to in the `with` block."""
    SOCKETS.connected.clear()
    SOCKETS.listening = True
    try:
        yield SOCKETS.connected
    finally:
        SOCKETS.listening = False


def names(**known: list[str]) -> Callable[[str, int], list[str]]:
    """Return a resolver that knows these names of example.org, and no others."""

    def resolve(host: str, port: int) -> list[str]:
        if host.removesuffix(".example.org") not in known:
            raise OSError("unknown")
        return known[host.removesuffix(".example.org")]

    return resolve


def code_of(fetcher: Fetcher, url: str, **options: Any) -> str:
    with pytest.raises(ApiError) as caught:
        asyncio.run(fetcher.fetch(url, **options))
    return caught.value.code
