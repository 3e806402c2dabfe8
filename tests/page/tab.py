"""A tab of the browser that remembers what went wrong in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

BESIDE = ("blob:", "data:")
"""Addresses that reach no server."""

NO_FAULTS = ("Failed to load resource", "GL Driver Message")
"""Messages of the console that repeat a failed request, which is in the list already, or tell how fast WebGL draws."""


@dataclass
class Tab:
    """A page, and what it did.

    Attributes:
        page: Playwright's page.
        origin: Where the server is, such as `http://127.0.0.1:40123`.
        outside: Addresses it asked for beyond the server.
        faults: Errors of scripts and of the console, and requests that failed.
    """

    page: Page
    origin: str
    outside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def expect(self, *patterns: str) -> None:
        """Name faults, by regular expressions, that this test provokes. Each must happen."""
        self._expected += patterns

    def unexpected(self) -> list[str]:
        """Return the faults that no pattern names, and the patterns that name none."""
        surprises = [fault for fault in self.faults if not _named(fault, self._expected)]
        missed = [f"did not happen: {p}" for p in self._expected if not any(re.search(p, f) for f in self.faults)]
        return surprises + missed


def _named(fault: str, patterns: Sequence[str]) -> bool:
    return any(re.search(pattern, fault) for pattern in patterns)


def watched_tab(context: BrowserContext, origin: str) -> Tab:
    """Open an empty tab whose requests and errors are written down from the start."""
    tab = Tab(context.new_page(), origin)

    def asked(request: Request) -> None:
        if not request.url.startswith((origin + "/", *BESIDE)):
            tab.outside.append(request.url)

    def answered(response: Response) -> None:
        if response.status >= 400:
            tab.faults.append(f"{response.status} {response.request.method} {response.url}")

    def failed(request: Request) -> None:
        # A stream that the page ends by itself is no fault.
        if request.failure != "net::ERR_ABORTED":
            tab.faults.append(f"failed {request.failure} {request.method} {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(known in message.text for known in NO_FAULTS):
            tab.faults.append(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    context.on("request", asked)
    context.on("response", answered)
    context.on("requestfailed", failed)
    tab.page.on("console", said)
    tab.page.on("pageerror", lambda error: tab.faults.append(f"script error: {error.stack or error.message}"))
    return tab
