"""A browser for the tests of the page, the server out of the built wheel, and tabs that must end without a fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from scripts._browser import NAMES, WITHOUT_GRAPHICS, browsing, find_chromium
from scripts._serving import Server, serving
from tests.page.tab import Tab, watched_tab
from tests.page.wheel import MARKED, unpacked_wheel

OpenTab = Callable[..., Tab]
"""`open_tab(path="/", **options)`: a tab in a context of its own; the options are those of Playwright's contexts."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the unpacked wheel, one for all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    return unpacked_wheel(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path")
    with browsing(*WITHOUT_GRAPHICS) as opened:
        yield opened


@pytest.fixture(scope="package")
def server(wheel: Path) -> Iterator[Server]:
    with serving("nano", "--threads", "1", folder=wheel) as started:
        with started.client() as client:
            assert client.send("GET", "/v1/info").json()["version"] == MARKED, "another package than the wheel's runs"
        yield started


@pytest.fixture
def open_tab(browser: Browser, server: Server) -> Iterator[OpenTab]:
    """Open tabs; what went wrong in any of them, and every request beyond the server, fails the test at its end."""
    opened: list[Tab] = []
    with ExitStack() as contexts:

        def start(path: str = "/", *, origin: str | None = None, script: str | None = None, **options: Any) -> Tab:
            settings = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options}
            context = browser.new_context(**settings)
            contexts.callback(context.close)
            context.set_default_timeout(15_000)
            if script is not None:
                context.add_init_script(script)
            tab = watched_tab(context, origin or f"http://127.0.0.1:{server.port}")
            opened.append(tab)
            tab.page.goto(tab.origin + path)
            return tab

        yield start
    wrong = [fault for tab in opened for fault in (*tab.outside, *tab.unexpected())]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
