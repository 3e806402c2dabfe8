"""The page as its users work with it, for tests, benchmark and pictures: what they press, and what they wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

SCREENS = ("start", "work", "compare", "history", "folder", "about")

READY_MS = 120_000
"""Longest wait for the model."""

OF_STORE = "async (name) => (await import('/static/store.js'))[name].value"
"""Reads a signal of the page; bitmaps and blobs arrive empty."""

UNTIL = """async (longest) => {{
  const store = await import("/static/store.js");
  const end = performance.now() + longest;
  while (!({condition})) {{
    if (performance.now() > end) throw new Error("it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }}
}}"""
"""Waits for a condition on `store`. (Playwright's own waiting takes no promise, and modules are imported by one.)"""


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

    def until(self, condition: str, longest_ms: float = READY_MS) -> None:
        """Wait until a JavaScript expression about `store` holds."""
        self.page.evaluate(UNTIL.format(condition=condition), longest_ms)

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
        self.until("store.picture.value?.id && store.picture.value.bitmap")

    def ask(self, task: str, typed: str = "", **options: str) -> None:
        """Ask something in the ask line; options are arguments and options of the task by name."""
        chip = self.page.locator(f"#ask [data-task={task}]")
        if not chip.count():
            self.page.locator("#ask .chips [aria-expanded]").click()
        chip.click()
        if options:
            self._set(options)
        words = self.page.locator("#ask .ask-words")
        if typed:
            words.fill(typed)
        words.press("Enter")

    def _set(self, options: dict[str, str]) -> None:
        self.page.locator("#ask .ask-gear").click()
        panel = self.page.locator("#ask-options")
        if panel.locator("details:not([open])").count():
            panel.locator("summary").click()
        for name, value in options.items():
            panel.locator(".field", has=self.page.locator("code", has_text=name)).locator("input").fill(value)
        self.page.locator("#ask .ask-gear").click()

    def stages(self) -> list[str]:
        """Return the stages of the cards, the newest first."""
        return [card["stage"] for card in self.state("cards")]

    def wait_answers(self) -> None:
        """Wait until every question has ended."""
        self.until("store.cards.value.every((card) => ['done', 'failed', 'stopped'].includes(card.stage))")

    def show(self, screen: str) -> None:
        """Go to a screen by the head of the page."""
        self.page.locator("#head .tab").nth(SCREENS.index(screen)).click()

    def card(self, index: int = 0) -> Locator:
        """Return a card, the newest first."""
        return self.page.locator("#answers article").nth(index)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the picture is in the window."""
        at = self.page.evaluate(
            """async (at) => {
              const { x, y } = (await import("/static/view.js")).toStage(at);
              const { left, top } = document.querySelector("#viewer .surface").getBoundingClientRect();
              return { x: x + left, y: y + top };
            }""",
            {"x": x, "y": y},
        )
        return at["x"], at["y"]

    def click(self, x: float, y: float, *held: str) -> None:
        """Click on a pixel of the picture while keys such as "Shift" are held."""
        for key in held:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.place(x, y))
        for key in held:
            self.page.keyboard.up(key)

    def drag(self, begin: tuple[float, float], end: tuple[float, float], *held: str) -> None:
        """Drag from one pixel of the picture to another while keys are held."""
        for key in held:
            self.page.keyboard.down(key)
        self.page.mouse.move(*self.place(*begin))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=5)
        self.page.mouse.up()
        for key in held:
            self.page.keyboard.up(key)

    def hover(self, x: float, y: float) -> str:
        """Put the pointer on a pixel of the picture; return the read-out."""
        self.page.mouse.move(*self.place(x, y))
        self.page.wait_for_timeout(50)
        return self.page.locator("#readout").inner_text()
