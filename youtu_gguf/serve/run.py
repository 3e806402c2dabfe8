"""A server as a process: its sockets, its signals, and its end within a known time."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from youtu_gguf.environment import notify_socket
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.serve.allocator import limit_arenas
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.slow_headers import TimedProtocol

if TYPE_CHECKING:
    from types import FrameType

    from fastapi import FastAPI

    from youtu_gguf.model import Model
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.settings import ServeSettings

LOG = logging.getLogger("youtu_gguf.serve")

KEEP_ALIVE_S = 30
MAX_HEADER_BYTES = 16 << 10
"""Longest header of a request."""

MOST_CONNECTIONS = 1000
"""Connections at the same time; a further one is answered 503. One that sends nothing has no time limit in uvicorn."""

GRACE_S = 1
"""How long connections may take to end when their answers have ended."""

HARD_END_S = 0.8
"""When the process ends after the time to drain, or after the last answer, whatever still runs in it: reading a slice
of a large image takes seconds on a slow processor, and cannot be interrupted."""

_BY_SIGNAL = 128
"""The shell's exit code of a process that a signal ended, less the signal's number."""


def serve(load: Callable[[], Model], settings: ServeSettings, listening: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code. For the main thread of a process that does nothing else.

    After the signal new requests are refused, and running answers may take `settings.drain_s`. What has not ended by
    then ends with an error. A second signal ends the process at once.

    Args:
        load: Loads the model, while health checks are answered. If it cannot be loaded the server ends, and the log
            says why.
        settings: How the server is run.
        listening: Called with its address, such as `http://127.0.0.1:8765`, once it can be asked.

    Raises:
        InputError: The address cannot be used, or needs a key.
    """
    limit_arenas()
    with ExitStack() as opened:
        sockets = [opened.enter_context(closing(found)) for found in open_sockets(settings)]
        process = _Process(create_app(load, settings), settings)
        try:
            return asyncio.run(process.run(sockets, listening))
        finally:
            for timer in process.hard_ends:
                timer.cancel()


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets=sockets)
        self.is_up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


class _Process:
    """One server from its start to its end."""

    def __init__(self, app: FastAPI, settings: ServeSettings) -> None:
        self.core: Core = app.state.core
        self.settings = settings
        self.server = _Server(
            uvicorn.Config(
                app, http=TimedProtocol, ws="none", loop="asyncio", lifespan="on", log_config=None, access_log=False,
                proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S, limit_concurrency=MOST_CONNECTIONS,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            )
        )  # fmt: skip
        self.exit_code = 0
        self.hard_ends: list[threading.Timer] = []

    async def run(self, sockets: list[socket.socket], listening: Callable[[str], None]) -> int:
        """Serve at `sockets`; return the exit code."""
        asked_to_stop = asyncio.Event()
        with _signals(asked_to_stop, lambda: self._end_hard_in(self.settings.drain_s + HARD_END_S)):
            serving = asyncio.ensure_future(self.server.serve(sockets))
            await self.server.is_up.wait()
            listening(url_of(self.settings.host, sockets[0]))
            await self._until_end(asked_to_stop)
            notify("STOPPING=1")
            await self.core.batches.stop()
            await self.core.jobs.drain(self.settings.drain_s)
            self._end_hard_in(HARD_END_S)
            self.server.should_exit = True
            await serving
        return self.exit_code

    async def _until_end(self, asked_to_stop: asyncio.Event) -> None:
        """Wait for a signal, or for the model that cannot be loaded."""
        stopping = asyncio.ensure_future(asked_to_stop.wait())
        await asyncio.wait((self.core.loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if self.core.loading.done():
            error = self.core.loading.exception()
            if error is not None:
                self.exit_code = error.exit_code if isinstance(error, YoutuError) else YoutuError.exit_code
                stopping.cancel()
                return
            notify("READY=1")
            LOG.info("ready: %r", self.core.loading.result())
        await stopping

    def _end_hard_in(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._end_hard)
        timer.daemon = True
        timer.start()
        self.hard_ends.append(timer)

    def _end_hard(self) -> None:
        LOG.warning("the process ends before all of its threads")
        self.core.batches.folder.remove()
        os._exit(self.exit_code)


@contextmanager
def _signals(asked_to_stop: asyncio.Event, at_first: Callable[[], None]) -> Iterator[None]:
    """Set an event and call a function at the first SIGINT or SIGTERM in the block; end the process at the second."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if seen:
            os._exit(_BY_SIGNAL + number)
        seen.append(number)
        at_first()
        loop.call_soon_threadsafe(asked_to_stop.set)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_sockets(settings: ServeSettings) -> list[socket.socket]:
    """Return sockets that listen at the addresses of `settings.host`, all at one port.

    Raises:
        InputError: There is no such address, it cannot be used, or it needs a key.
    """
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise InputError(f"host must be an address or a name of this machine; got {host!r}: {exc}.") from exc
    if settings.api_key is None and not all(_is_loopback(row[4][0]) for row in found):
        if not settings.insecure:
            raise InputError(
                f"expected a key, since other machines reach {host}; there is none. Name a file that holds one with "
                "--api-key-file, or serve everyone with --insecure."
            )
        LOG.warning("anyone who can reach %s may use this server: it asks for no key", host)
    opened: list[socket.socket] = []
    refused: list[OSError] = []
    with ExitStack() as on_error:
        for family, kind, protocol, _, address in found:
            try:
                opened.append(_listening(family, kind, protocol, (address[0], port, *address[2:])))
            except OSError as exc:
                if exc.errno != errno.EADDRNOTAVAIL:  # as ::1 where there is no IPv6
                    raise _unusable(host, port, exc) from exc
                refused.append(exc)
                continue
            on_error.callback(opened[-1].close)
            port = opened[-1].getsockname()[1]  # that of the first where any was asked for
        if not opened:
            raise _unusable(host, port, refused[0])
        on_error.pop_all()
    return opened


def _listening(
    family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, address: tuple[object, ...]
) -> socket.socket:
    with ExitStack() as on_error:
        listener = on_error.enter_context(socket.socket(family, kind, protocol))
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen()
        listener.setblocking(False)
        on_error.pop_all()
    return listener


def _unusable(host: str, port: int, error: OSError) -> InputError:
    why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
    return InputError(
        f"expected a free port; {host}:{port} cannot be used: {why}. Name another with --port, or 0 for any."
    )


def _is_loopback(address: object) -> bool:
    return ipaddress.ip_address(str(address).partition("%")[0]).is_loopback


def url_of(host: str, listener: socket.socket) -> str:
    """Return the URL of a server that was told to listen at `host`."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def notify(state: str) -> None:
    """Tell systemd the state of this process, if it was started by systemd (Type=notify).

    Source: sd_notify(3).
    """
    address = notify_socket()
    if address is not None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            link.sendall(state.encode())
