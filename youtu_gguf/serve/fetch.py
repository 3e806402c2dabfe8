"""Images from URLs: only from public addresses, from the address that was checked, and without following a redirect."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from youtu_gguf.serve.addresses import is_public, literal
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    import ssl

Resolve = Callable[[str, int], Sequence[str]]
"""From a name and a port to addresses. It is called in a thread, and may raise OSError."""

MOST_BYTES, MOST_S = 20_000_000, 10.0
"""Longest image, and the longest time from the name to the last byte."""

_AT_ONCE = 4
_ADDRESSES = 3
"""Addresses of one name that are tried."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!\"$-\[\]-~]*)?(?P<query>\?[!\"$-\[\]-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
"""A URL without user and password, of printable ASCII without a backslash, which programs read in different ways."""

_LONGEST_URL = 8192
_PORTS = {"http": 80, "https": 443}
_OK = 200


@dataclass(frozen=True)
class Target:
    """Where a URL points.

    Attributes:
        scheme: "http" or "https".
        host: A name or an address, in lower case and without brackets.
        port: The port.
        path: Path and query.
    """

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Return where `url` points.

        Raises:
            ApiError: It is not such a URL.
        """
        match = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
        if match is None:
            raise _refused("it is no plain URL of a web server", "Escape what is not ASCII, and leave out passwords.")
        scheme = match["scheme"].lower()
        host = match["host"].lower().strip("[]").removesuffix(".")
        return cls(scheme, host, int(match["port"] or _PORTS[scheme]), (match["path"] or "/") + (match["query"] or ""))

    @property
    def netloc(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs of one server have in common."""
        return self.scheme, self.host, self.port


class Fetcher:
    """Fetches images.

    Every address of a name must be public, and the connection goes to the one that was checked: a name that resolves
    to something else a moment later changes nothing. Nothing of the environment is used: no proxy, no password, no
    cookie.

    Args:
        plain_http: Fetch from http:// as well.
        resolve: Finds the addresses of a name.
        tls: What certificates are checked against; None takes those of the system.
        most_s: Longest time for one image.
    """

    def __init__(
        self,
        *,
        plain_http: bool = False,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        most_s: float = MOST_S,
    ) -> None:
        self._plain_http, self._most_s = plain_http, most_s
        self._resolve, self._tls = resolve or resolve_name, tls
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, url: str, *, allowed: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the bytes at `url`.

        Args:
            url: What a client named.
            allowed: The origin of a server that the operator named, such as "http://annotation.lan:8080". Only its
                images are fetched then, though it may be on this network and without TLS.
            headers: Sent to that server in addition.

        Raises:
            ApiError: It is not fetched, or that failed.
        """
        target = Target.of(url)
        if allowed is None:
            self._check(target)
        elif target.origin != Target.of(allowed).origin:
            raise _refused("it is not of the server that images are fetched from", "Send the image itself.")
        try:
            async with asyncio.timeout(self._most_s), self._slots:
                addresses = await self._addresses(target, public=allowed is None)
                return await self._get(target, addresses, headers or {})
        except TimeoutError as exc:
            raise _failed(f"it took longer than {self._most_s:g} s") from exc

    def _check(self, target: Target) -> None:
        if target.scheme != "https" and not self._plain_http:
            raise _refused("it must begin with https://", "Name the image by https, or send it as a data URI.")
        if target.port != _PORTS[target.scheme]:
            raise _refused("it must not name a port", "Send the image as a data URI.")
        if "." not in target.host and ":" not in target.host:
            raise _refused("its host must be a name of the public Internet", "Send the image as a data URI.")

    async def _addresses(self, target: Target, *, public: bool) -> Sequence[str]:
        """Return the addresses of the host, each of which may be asked."""
        try:
            address = literal(target.host)
        except ValueError as exc:
            raise _refused("its host is a number that is no usual address", "Write it as 192.0.2.1.") from exc
        try:
            found = [str(address)] if address else await _in_thread(self._resolve, target.host, target.port)
            addresses = [ipaddress.ip_address(text) for text in found]
        except (OSError, UnicodeError, ValueError):
            addresses = []
        # One message for a name that is not known and one of this network: else it could be asked about.
        if not addresses or (public and not all(is_public(a) and str(a) not in _own_addresses() for a in addresses)):
            raise _refused("its host has no address, or one that is not public", "Send the image as a data URI.")
        return [str(a) for a in addresses[:_ADDRESSES]]

    async def _get(self, target: Target, addresses: Sequence[str], headers: Mapping[str, str]) -> bytes:
        import httpx2

        if self._tls is None:
            self._tls = httpx2.create_ssl_context(trust_env=False)
        sent = {
            "Host": target.netloc,
            "User-Agent": f"youtu_gguf/{__version__}",
            "Accept": "image/*, */*;q=0.5",  # Label Studio offers no image type: it answers 406 to image/* alone
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        failure: Exception | None = None
        async with httpx2.AsyncClient(
            trust_env=False, follow_redirects=False, verify=self._tls, timeout=None
        ) as client:
            for address in addresses:
                host = f"[{address}]" if ":" in address else address
                pinned = f"{target.scheme}://{host}:{target.port}{target.path}"
                extensions = {"sni_hostname": target.host}
                try:
                    async with client.stream("GET", pinned, headers=sent, extensions=extensions) as response:
                        return await _read(response)
                except httpx2.ConnectError as exc:
                    failure = exc
                except httpx2.HTTPError as exc:
                    raise _failed("its server could not be understood, or hung up") from exc
        raise _failed("its server cannot be reached, or has no valid certificate") from failure


async def _read(response: object) -> bytes:
    """Return the body of an answer."""
    import httpx2

    assert isinstance(response, httpx2.Response)
    if response.status_code != _OK:
        hint = " (redirects are not followed)" if response.is_redirect else ""
        raise _failed(f"its server answered {response.status_code}{hint}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _failed("its server sent it compressed")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > MOST_BYTES:
            raise ApiError(
                413, "image_too_large", f"an image at a URL may have {MOST_BYTES} bytes; this one has more.",
                param="image",
            )  # fmt: skip
    return bytes(data)


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, as the system knows them.

    Raises:
        OSError: It knows none.
    """
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _own_addresses() -> frozenset[str]:
    """Return the addresses of this machine, some of which may be public while what listens there is not."""
    import psutil

    return frozenset(a.address for addresses in psutil.net_if_addrs().values() for a in addresses)


async def _in_thread(resolve: Resolve, host: str, port: int) -> Sequence[str]:
    """Call `resolve` in a thread that no one waits for at the end of the process: it cannot be interrupted."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(value: Sequence[str] | None, error: BaseException | None) -> None:
        if not future.done():
            if error is None and value is not None:
                future.set_result(value)
            else:
                future.set_exception(error or OSError("no address"))

    def run() -> None:
        try:
            outcome: tuple[Sequence[str] | None, BaseException | None] = (resolve(host, port), None)
        except BaseException as exc:  # noqa: BLE001 - it belongs to the one who waits
            outcome = None, exc
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="youtu-gguf resolve", daemon=True).start()
    return await future


def _refused(reason: str, remedy: str) -> ApiError:
    return ApiError(403, "url_not_allowed", f"the image at this URL is not fetched: {reason}. {remedy}")


def _failed(reason: str) -> ApiError:
    return ApiError(400, "invalid_image", f"the image at the URL could not be fetched: {reason}.", param="image")
