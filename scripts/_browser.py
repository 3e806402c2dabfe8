"""The Chromium of this machine, driven by Playwright: for the tests of the page, its benchmark and its pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

QUIET = (
    "--no-sandbox",  # the sandbox does not start for root; nothing but our own page is opened
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a camera that shows a test picture
)
DRAWN_BY_PROCESSOR = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL2 where there is no graphics card: the processor plays one, for all of the page."""

WITHOUT_GRAPHICS = ("--disable-gpu",)
"""What Chromium does by itself where there is no graphics card: the processor draws the page, and plays a card for what
WebGL draws alone. That takes half as long as `DRAWN_BY_PROCESSOR`."""


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browsing(*flags: str) -> Iterator[Browser]:
    """Run Chromium, without a window, for the `with` block.

    While it runs, Playwright keeps an event loop in this thread: `asyncio.run` is refused here until the block ends.

    Args:
        flags: Further flags of the command; how WebGL is drawn, if not by the system's own means.

    Raises:
        RuntimeError: There is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    if path is None:
        raise RuntimeError(f"expected one of {', '.join(NAMES)} on the path; found none. Debian: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *flags])
        try:
            yield browser
        finally:
            browser.close()
