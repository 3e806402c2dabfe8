"""Who may ask: the names under which the server is reached, the pages that may use it, and the key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from youtu_gguf.errors import InputError
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.session import OWN_SITE, Session

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from youtu_gguf.serve.calls import Call
    from youtu_gguf.serve.settings import ServeSettings

OPEN = frozenset({"/healthz", "/readyz", "/health", "/v1/health"})
"""Paths that are read without a key: probes have none, and learn whether the server runs, and nothing else."""

PAGE_FILES = "/static/"
"""How the paths of the page's files begin. They are read without a key, as the page itself is: they hold no secret."""

SESSION = "/session"
"""Where the page exchanges the key for a cookie."""

KEY_IN_FORM = "/v1/vision/"
"""How the paths begin whose clients send the key as a field of a form, which their routes compare."""

_LOCAL = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("0.0.0.0", "::")
_READS = ("GET", "HEAD")
_HOST = re.compile(r"(?:\[(?P<ip>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9_.-]{1,253}))(?::[0-9]{1,5})?", re.IGNORECASE)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?P<host>[^/\s]+)", re.IGNORECASE)
_HEADER_NAMES = re.compile(r"[a-z0-9_-]+(?:\s*,\s*[a-z0-9_-]+)*", re.IGNORECASE)

_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_SHOWN = "X-Request-Id, Retry-After, X-Youtu-Ignored, X-Shape, X-Dtype, X-Scale, X-Unit"
"""Headers of our own that pages elsewhere may read, where they may use the API."""

_PREFLIGHT_S = "600"
"""How long a browser remembers what a page may do."""


class Access:
    """The rules of one server.

    The `Host` is checked where the server listens at a loopback address or asks for no key: a page whose name was made
    to resolve to this machine (DNS rebinding) sends its own. Writes of pages elsewhere are refused, unless their origin
    is one of `cors_origins`. No answer allows credentials; the cookie that stands for the key counts in requests of the
    server's own page alone.

    Raises:
        InputError: A name or an origin of the settings is none.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._names = _checked_names(settings)
        self._origins = frozenset(_checked_origin(origin) for origin in settings.cors_origins)
        self._checks_host = settings.api_key is None or is_loopback(settings.host)
        self._takes_addresses = settings.host in _EVERYWHERE
        self._session = Session(settings.api_key) if settings.page and settings.api_key is not None else None

    @property
    def shares(self) -> bool:
        """Whether pages elsewhere may use the server."""
        return bool(self._origins)

    def check_host(self, headers: Headers) -> str:
        """Return the name and port under which the server was reached, in lower case.

        Raises:
            ApiError: They are not one of this server's.
        """
        given = headers.getlist("host")
        match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        name = (match["ip"] or match["name"]).lower().removesuffix(".") if match else ""
        if self._checks_host and not self._knows(name):
            shown = given[0][:80] if given else "none"
            raise ApiError(
                403, "host_not_allowed",
                f"this server is reached as localhost; got Host: {shown!r}. Start it with --allow-host NAME.",
            )  # fmt: skip
        return given[0].lower() if match else ""

    def _knows(self, name: str) -> bool:
        if name in self._names or name.endswith(".localhost"):
            return True
        if any(name.endswith(known[1:]) for known in self._names if known.startswith("*.")):
            return True
        return self._takes_addresses and _address(name) is not None  # a page's name is never an address

    def check_origin(self, method: str, headers: Headers, host: str) -> str | None:
        """Return the origin that may read the answer, "*" for all; None where the browser is not told of one.

        Args:
            method: What is asked.
            headers: The request's.
            host: Name and port under which the server was reached.

        Raises:
            ApiError: A page elsewhere would write.
        """
        given = headers.getlist("origin")
        origin = ", ".join(given) if given else None
        if origin is not None and ("*" in self._origins or origin.lower() in self._origins):
            return "*" if "*" in self._origins else origin
        match = None if origin is None else _ORIGIN.fullmatch(origin)
        if origin is None:
            is_own = headers.get("sec-fetch-site", "none").lower() in OWN_SITE
        else:
            is_own = match is not None and match["host"].lower() == host
        if not is_own and method not in _READS:
            raise ApiError(
                403, "origin_not_allowed",
                f"pages of other origins may not write here; got Origin: {(origin or 'none')[:80]!r}. Start the server "
                "with --cors-origin ORIGIN.",
            )  # fmt: skip
        return None

    def check_key(self, method: str, path: str, headers: Headers, host: str) -> None:
        """Check that a request brings the key, or a cookie that stands for it.

        Args:
            method: What is asked.
            path: Of what.
            headers: The request's.
            host: Name and port under which the server was reached.

        Raises:
            ApiError: It does not.
        """
        if method in _READS and path in OPEN:
            return
        if self._settings.page and _is_of_page(method, path, headers):
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if method == "POST" and path.startswith(KEY_IN_FORM) and kind == "multipart/form-data":
            return
        has_key = self._settings.api_key is None or any(
            key_fits(self._settings, given) for given in given_keys(headers)
        )
        if not has_key and not (self._session and self._session.allows(headers, host)):
            raise ApiError(
                401, "invalid_api_key",
                "expected the server's key; got none or another. Send it as Authorization: Bearer KEY, x-api-key or "
                "Token.",
            )  # fmt: skip

    def client(self, address: str, headers: Headers) -> str:
        """Return whose request it is, for fairness: an address, and on this machine the key that a program brings.

        Where a key is asked for, all clients have the same.
        """
        key = next(given_keys(headers), None)
        if key and is_loopback(address) and self._settings.api_key is None:
            return f"{address} {hashlib.sha256(key.encode()).hexdigest()[:16]}"
        return address


class Guard:
    """Refuses requests that the rules of `access` do not allow, before a route sees them."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request.

        Raises:
            ApiError: It is refused.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call: Call = scope["youtu.call"]
        headers, access = Headers(scope=scope), self._access
        host = access.check_host(headers)
        if access.shares:
            call.headers["Vary"] = "Origin"
        origin = access.check_origin(scope["method"], headers, host)
        if origin is not None:
            call.headers.update({"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _SHOWN})
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _answer_preflight(headers, send, allowed=origin is not None)
            return
        access.check_key(scope["method"], scope["path"], headers, host)
        call.client = access.client(call.client, headers)
        await self.app(scope, receive, send)


def wants_page(headers: Headers) -> bool:
    """Return whether what stands at `/` is asked for by a browser."""
    return "text/html" in headers.get("accept", "").lower()


def _is_of_page(method: str, path: str, headers: Headers) -> bool:
    """Return whether a request is one that the page, or the browser for it, makes before it has the key."""
    if method == "POST":
        return path == SESSION
    return method in _READS and (path.startswith(PAGE_FILES) or (path == "/" and wants_page(headers)))


def key_fits(settings: ServeSettings, given: str | None) -> bool:
    """Whether `given` is the server's key, or none is asked for."""
    if settings.api_key is None:
        return True
    own, other = (hashlib.sha256(key.encode("utf-8", "replace")).digest() for key in (settings.api_key, given or ""))
    return given is not None and hmac.compare_digest(own, other)


def given_keys(headers: Headers) -> Iterator[str]:
    """Yield the keys that a request brings: as a bearer, as a password with any name, or in a header of their own."""
    for value in headers.getlist("authorization"):
        scheme, _, key = value.strip().partition(" ")
        if scheme.lower() in ("bearer", "token"):
            yield key.strip()
        elif scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(key.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                continue
            yield decoded.partition(":")[2]
    yield from headers.getlist("x-api-key")
    yield from headers.getlist("token")


def is_loopback(host: str) -> bool:
    """Whether a server that listens at `host` is reached from this machine alone."""
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _checked_names(settings: ServeSettings) -> frozenset[str]:
    """Return the names under which the server is reached, in lower case."""
    names = {*_LOCAL, settings.host.lower().strip("[]")}
    for given in settings.allowed_hosts:
        name = given.lower().strip("[]").removesuffix(".")
        if _address(name) is None and not re.fullmatch(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
            raise InputError(
                f"an allowed host must be a name without a port, such as vision.lan or *.example.org; got {given!r}."
            )
        names.add(name)
    return frozenset(names)


def _checked_origin(given: str) -> str:
    match = _ORIGIN.fullmatch(given)
    if given not in ("*", "null") and match is None:
        raise InputError(
            f"an origin must be a scheme and a host, such as https://vision.example.org:8080, without a path; "
            f"got {given!r}."
        )
    return given.lower()


async def _answer_preflight(headers: Headers, send: Send, *, allowed: bool) -> None:
    """Tell a browser what a page elsewhere may send."""
    if not allowed:
        raise ApiError(403, "origin_not_allowed", "pages of this origin may not use this server.")
    wanted = headers.get("access-control-request-headers", "").strip()
    answer = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": _PREFLIGHT_S}
    if _HEADER_NAMES.fullmatch(wanted):
        answer["Access-Control-Allow-Headers"] = wanted
    if headers.get("access-control-request-private-network") == "true":
        answer["Access-Control-Allow-Private-Network"] = "true"
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.items()]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})
