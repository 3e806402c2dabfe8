"""The cookie that stands for the key in the page: scripts cannot read it, and other sites cannot use it."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

_VALUE, _NAME = b"youtu_gguf session", b"youtu_gguf session's name"
"""What the key signs."""

_NAME_DIGITS = 8

_TICKET_S = 120.0
"""How long a browser may take to start."""


OWN_SITE = ("same-origin", "none")
"""What a browser's `Sec-Fetch-Site` says of a page of ours, and of an address that was typed."""

_HOST = re.compile(r"[a-z][a-z0-9+.-]*://([^/\s?#]+)", re.IGNORECASE)


class Session:
    """The cookie of a server with a key.

    Its value is made from the key by HMAC, so that it is the same after a restart and another one with another key. Its
    name is made so too: browsers do not tell the ports of a machine apart, and two servers there have two cookies.

    Args:
        key: The server's key.
    """

    def __init__(self, key: str) -> None:
        self._name = f"youtu_gguf_{_signed(key, _NAME)[:_NAME_DIGITS]}"
        self._value = _signed(key, _VALUE)

    def begin(self, *, secure: bool) -> str:
        """Return the header `Set-Cookie` that begins a session, which ends with the browser.

        Args:
            secure: Whether the browser speaks https; it sends the cookie by that alone then.
        """
        return f"{self._name}={self._value}; {_attributes(secure=secure)}"

    def end(self, *, secure: bool) -> str:
        """Return the header `Set-Cookie` that ends it."""
        return f"{self._name}=; Max-Age=0; {_attributes(secure=secure)}"

    def allows(self, headers: Headers, host: str) -> bool:
        """Return whether a request comes from the page, and brings the cookie.

        Args:
            headers: The request's.
            host: Name and port under which the server was reached, in lower case.
        """
        given = cookie_parser(headers.get("cookie", "")).get(self._name, "")
        is_own = hmac.compare_digest(given.encode("utf-8", "replace"), self._value.encode())
        return is_own and _comes_from_own_page(headers, host)


class Ticket:
    """Stands for the key once, soon after the start, in the address that a browser is started with.

    Everyone on a machine can read with which words a program was started, so the key itself is none of them.

    Args:
        value: The ticket; None where there is none.
        clock: Gives seconds.
    """

    def __init__(self, value: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._value, self._clock = value, clock
        self._ends = clock() + _TICKET_S

    def takes(self, given: str) -> bool:
        """Return whether `given` is the ticket, which is none from then on."""
        value = self._value if self._clock() < self._ends else None
        if value is None or not hmac.compare_digest(given.encode("utf-8", "replace"), value.encode()):
            return False
        self._value = None
        return True


def speaks_https(headers: Headers) -> bool:
    """Return whether a browser reached the server by https: through a proxy, since the server itself has none.

    The browser says so in `Origin`, which it sends with every POST and DELETE of a script; who sends a false one spoils
    their own cookie alone. `X-Forwarded-Proto` could be anyone's.
    """
    return headers.get("origin", "").lower().startswith("https://")


def _comes_from_own_page(headers: Headers, host: str) -> bool:
    """Return whether a browser says that a page of this server sends the request, or a person who typed the address.

    `Sec-Fetch-Site` says it, where the browser trusts the connection: https, or this machine. Elsewhere `Origin` does,
    and `Referer` for what is only read.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site.lower() in OWN_SITE
    given = headers.get("origin", headers.get("referer", ""))
    match = _HOST.match(given)
    return match is not None and match[1].lower() == host


def _attributes(*, secure: bool) -> str:
    return f"Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def _signed(key: str, text: bytes) -> str:
    return hmac.new(key.encode("utf-8", "replace"), text, hashlib.sha256).hexdigest()
