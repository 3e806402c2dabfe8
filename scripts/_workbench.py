"""The page as its users work with it, for tests, benchmark and pictures: what they press, and what they wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

READY_MS = 60_000
"""Longest wait for the model."""

OF_STORE = "async (name) => (await import('/static/store.js'))[name].value"
"""Reads a signal of the page; bitmaps and blobs arrive empty."""


class Workbench:
    """A tab on the page.

    Attributes:
        page: Playwright's page.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    def state(self, name: str) -> Any:
        """Return the value of a signal of the store."""
        return self.page.evaluate(OF_STORE, name)

    def open_sample(self) -> None:
        """Open the drawn picture that the page ships."""
        self.page.locator("#start [data-open=sample]").click()
        self.wait_picture()

    def open_file(self, path: Path) -> None:
        """Choose an image file."""
        self.page.locator("#start input[type=file]").first.set_input_files(path)
        self.wait_picture()

    def wait_picture(self) -> None:
        """Wait until the workbench shows a picture that the server knows."""
        self.page.wait_for_function(
            "async () => (await import('/static/store.js')).picture.value?.id != null", timeout=READY_MS
        )

    def ask(self, task: str, typed: str = "") -> None:
        """Ask something in the ask line."""
        chip = self.page.locator(f"#ask [data-task={task}]")
        if not chip.count():
            self.page.locator("#ask .chips [aria-expanded]").click()
        chip.click()
        words = self.page.locator("#ask .ask-words")
        if typed:
            words.fill(typed)
        words.press("Enter")

    def stages(self) -> list[str]:
        """Return the stages of the cards, the newest first."""
        return [card["stage"] for card in self.state("cards")]

    def wait_answers(self) -> None:
        """Wait until every question has ended."""
        self.page.wait_for_function(
            """async () => (await import('/static/store.js')).cards.value
                 .every((card) => ["done", "failed", "stopped"].includes(card.stage))""",
            timeout=READY_MS,
        )

    def show(self, screen: str) -> None:
        """Go to a screen by the head of the page."""
        index = ("start", "work", "compare", "history", "folder", "about").index(screen)
        self.page.locator("#head .tab").nth(index).click()

    def card(self, index: int = 0) -> Locator:
        """Return a card, the newest first."""
        return self.page.locator("#answers article").nth(index)
