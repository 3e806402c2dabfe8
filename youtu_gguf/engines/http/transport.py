"""One HTTP request with a streamed answer, which any thread can hang up on. It knows nothing of models."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from youtu_gguf.engines.http.refusals import SHOWN, Refusal, excerpt, read_refusal
from youtu_gguf.errors import EngineError, ServerError, YoutuError

LONGEST_LINE = 4 << 20
"""Bytes. An event has some hundred bytes; a server that sends longer lines is not an OpenAI-compatible one."""

RETRIABLE = frozenset((408, 409, 425, 429))
"""Besides 5xx, the statuses after which the same request may succeed (RFC 9110, RFC 6585, RFC 8470)."""

NEVER = frozenset((501, 505))
"""Of 5xx, the statuses that say that the server cannot do what was asked (RFC 9110)."""


@dataclass(frozen=True)
class Address:
    """Where a server is: `url` up to and including "/v1", and the key it requires."""

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine: then no proxy is used."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class NotSentError(ServerError):
    """The server could not be reached: it has received nothing of the request."""


class RefusedError(ServerError):
    """The server answered with an HTTP error.

    Attributes:
        status: The HTTP status.
        words: The server's message.
        kind: The error's type, as OpenAI-compatible servers name it; "" where they do not.
        after_s: Seconds to wait before the next request, by the server's Retry-After; 0 without it.
    """

    def __init__(self, url: str, status: int, words: str, kind: str = "", after_s: float = 0.0) -> None:
        retry = status in RETRIABLE or (status >= requests.codes.server_error and status not in NEVER)
        again = f". Ask again in {after_s:,.0f} s." if after_s else ""
        super().__init__(f"{url} answered with status {status}: {words}{again or _remedy(status)}", retry=retry)
        self.status, self.words, self.kind, self.after_s = status, words, kind, after_s


def _remedy(status: int) -> str:
    match status:
        case 401 | 403:
            return ". Set YOUTU_GGUF_API_KEY, or api_key, to a key that it accepts."
        case 404 | 405:
            return ". Check the address; it ends in /v1 with most servers."
        case 413:
            return ". Lower image_max_tokens, or let it take larger requests."
        case _:
            return ""


class Hangup:
    """Ends a call from another thread, whether it waits for the first byte of the answer or for the next one."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        self._socket: socket.socket | None = None

    @property
    def connected(self) -> bool:
        """Whether the call has had a connection; without one the server has received nothing of it."""
        return self._socket is not None

    def watch(self, sock: socket.socket) -> None:
        """Note the socket of the call, and shut it down if the call has been hung up on already."""
        self._socket = sock
        if self.gone.is_set():
            self.hang_up()

    def hang_up(self) -> None:
        """End the call. Safe to call twice."""
        self.gone.set()
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # that of TLS is not for two threads


class _Adapter(HTTPAdapter):
    """Gives a call's socket to its `Hangup` once it is connected; requests itself has it only with the headers."""

    def __init__(self, hangup: Hangup) -> None:
        super().__init__()
        self._hangup = hangup

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = partial(self._shown, pool.ConnectionCls)
        return pool

    def _shown(self, make: Callable[..., Any], **settings: Any) -> Any:
        connection = make(**settings)
        connect = connection.connect

        def connect_and_show() -> None:
            connect()
            self._hangup.watch(connection.sock)

        connection.connect = connect_and_show
        return connection


@contextmanager
def _session(address: Address, url: str, hangup: Hangup) -> Iterator[requests.Session]:
    """Give a session for one call. Its errors become our own; after hanging up they are dropped.

    It connects to this machine directly, without a proxy, and sends the key of `address`, never one from .netrc.
    """

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if address.key is not None:
            request.headers["Authorization"] = f"Bearer {address.key}"
        return request

    with requests.Session() as session:
        session.trust_env = not address.is_local
        session.auth = sign
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(hangup))
        try:
            yield session
        except (OSError, ValueError) as exc:  # what requests raises is an OSError
            if not hangup.gone.is_set():
                variables = _bad_variables(exc)
                raise (EngineError(variables) if variables else _translated(exc, url, hangup)) from exc


def get_json(address: Address, path: str, timeout_s: float, body: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON at `path` below the address, or what is answered there when `body` is posted.

    Raises:
        ServerError: The server cannot be reached, refuses, or does not answer with JSON.
    """
    url, method = address.url + path, "GET" if body is None else "POST"
    with _session(address, url, Hangup()) as session:
        response = session.request(method, url, json=body, timeout=timeout_s, allow_redirects=False)
        _check(response, url)
        return response.json()


def stream_events(
    address: Address, path: str, body: Mapping[str, Any], hangup: Hangup, *, connect_s: float, stall_s: float
) -> Iterator[dict[str, Any]]:
    """Post `body` and yield the events of the answer, until the server ends it or `hangup` does.

    Raises:
        NotSentError: No connection was made.
        RefusedError: The server answered with an error.
        ServerError: The answer breaks off, stalls, or is not a stream of events.
    """
    url = address.url + path
    with _session(address, url, hangup) as session:
        with session.post(url, json=body, stream=True, timeout=(connect_s, stall_s), allow_redirects=False) as response:
            _check(response, url)
            kind = response.headers.get("Content-Type", "")
            if not kind.startswith("text/event-stream"):
                raise _nonsense(url, f"{kind or 'no content type'}: {_refusal(response).words}")
            for line in _lines(response, url):
                if hangup.gone.is_set():
                    return
                if line == b"data: [DONE]":
                    return
                if line.startswith(b"data:"):
                    yield _event(line[5:], url)
        if not hangup.gone.is_set():
            raise ServerError(f"{url} broke off in the middle of an answer. Ask again.", retry=True)


def _translated(exc: Exception, url: str, hangup: Hangup) -> YoutuError:
    cause = exc.args[0] if exc.args else exc
    reason = getattr(cause, "reason", cause)
    if isinstance(exc, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | UnicodeError):
        return EngineError(f"expected the address of a server, such as http://host:8080/v1; got {url}: {exc}.")
    if isinstance(exc, requests.exceptions.SSLError):
        return EngineError(f"{url} cannot be trusted: {reason}.")
    if not hangup.connected:
        why = str(reason).rpartition("): ")[2]  # without the connection object that urllib3 puts before its words
        return NotSentError(f"{url} cannot be reached: {why}. Is the server running?", retry=True)
    if _timed_out(exc):
        return ServerError(f"{url} has fallen silent. Ask again, or raise stall_s.", retry=True)
    if isinstance(exc, requests.exceptions.JSONDecodeError):
        return ServerError(f"{url} answered with something that is not JSON.", retry=True)
    return ServerError(f"{url} broke off: {reason}. Ask again.", retry=True)


def _bad_variables(exc: Exception) -> str:
    """Return what is wrong with the variables for proxies or certificates, if that is why a call failed."""
    if "SOCKS" in str(exc):
        return (
            "a proxy variable (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY) names a SOCKS proxy, which needs another package. "
            'Install it with `pip install "youtu_gguf[socks]"`, or unset the variable.'
        )
    if isinstance(exc, requests.exceptions.InvalidProxyURL) or "Proxy URL" in str(exc):
        return (
            f"expected a proxy variable such as HTTPS_PROXY=http://host:8080; got another: {exc} Correct or unset it."
        )
    if not isinstance(exc, requests.RequestException) and "certificate" in str(exc):
        return f"expected certificates where REQUESTS_CA_BUNDLE says; got: {exc}. Correct or unset it."
    return ""


def _timed_out(exc: BaseException | None) -> bool:
    """Whether an error comes from a socket's time limit; requests has an error of that name for the headers only."""
    return exc is not None and (isinstance(exc, TimeoutError) or _timed_out(exc.__context__))


def _check(response: requests.Response, url: str) -> None:
    """Refuse an answer that is an error or a redirect."""
    if response.status_code == requests.codes.ok:
        return
    if response.is_redirect:
        where = f"{response.headers['Location']!r:.{SHOWN}}"
        raise ServerError(f"{url} redirects to {where}. Name that address instead.")
    refusal = _refusal(response)
    wait = response.headers.get("Retry-After", "")
    after_s = float(wait) if wait.isdigit() else 0.0
    raise RefusedError(url, response.status_code, refusal.words, refusal.kind, after_s)


def _refusal(response: requests.Response) -> Refusal:
    """Return the error in an answer, or else its beginning."""
    start = next(response.iter_content(LONGEST_LINE), b"")
    with suppress(ValueError):
        found = read_refusal(json.loads(start))
        if found is not None:
            return found
    return Refusal(excerpt(start.decode("utf-8", "replace")))


def _lines(response: requests.Response, url: str) -> Iterator[bytes]:
    rest = b""
    for part in response.iter_content(None):
        *lines, rest = (rest + part).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
        if len(rest) > LONGEST_LINE:
            raise _nonsense(url, f"a line of more than {LONGEST_LINE:,} bytes")


def _event(data: bytes, url: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as exc:
        raise _nonsense(url, excerpt(data.decode("utf-8", "replace"))) from exc
    if not isinstance(event, dict):
        raise _nonsense(url, excerpt(event))
    refusal = read_refusal(event)
    if refusal is not None:
        raise RefusedError(url, refusal.code or requests.codes.server_error, refusal.words, refusal.kind)
    return event


def _nonsense(url: str, what: str) -> ServerError:
    return ServerError(f"{url} must answer with events of an OpenAI-compatible chat; got {what}.", retry=True)
