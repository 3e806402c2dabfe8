"""Answers leave at once: their ends do not wait until the client has acknowledged their beginnings."""

from __future__ import annotations

import socket

from youtu_gguf.serve.run import open_sockets
from youtu_gguf.serve.settings import ServeSettings


def test_sockets_name_their_protocol_so_that_asyncio_sends_without_delay() -> None:
    opened = open_sockets(ServeSettings(port=0))
    try:
        assert [listener.proto for listener in opened] == [socket.IPPROTO_TCP] * len(opened)
    finally:
        for listener in opened:
            listener.close()
