"""The whole way by keyboard alone: a picture, questions, a mask at the crosshair, a length, an export, every screen."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from scripts._workbench import SCREENS, Workbench
from tests.page.conftest import OpenTab

FOCUSED = """() => {
  const at = document.activeElement;
  const { outlineStyle } = getComputedStyle(at);
  const names = [at.dataset.open, at.dataset.task, at.innerText?.trim()];
  return { is: at.className || at.tagName, names, outline: outlineStyle };
}"""

SHOWN_OTHERWISE = ("BODY", "ask-words", "depth-handle")
"""What has no outline of its own: the page, and controls of which a frame around them or a handle shows the focus."""


def tab_to(page: Page, wanted: str, key: str = "Tab") -> None:
    """Press Tab until the focus is on what has this name; where the focus is must be seen all the way."""
    for _ in range(60):
        page.keyboard.press(key)
        at = page.evaluate(FOCUSED)
        assert at["outline"] != "none" or at["is"] in SHOWN_OTHERWISE, f"the focus is not seen on {at}"
        if wanted in at["names"]:
            return
    raise AssertionError(f"{wanted} is not reached by the Tab key")


def test_everything_is_done_by_keyboard_alone(open_tab: OpenTab) -> None:
    page = open_tab(accept_downloads=True).page
    bench = Workbench(page)
    expect(page.locator("#start h1")).to_be_visible()
    tab_to(page, "sample")
    page.keyboard.press("Enter")
    bench.wait_picture()

    page.keyboard.press("3")  # find
    page.keyboard.type("circle, star")
    page.keyboard.press("Enter")
    tab_to(page, "depth", "Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    bench.wait_answers()
    assert bench.stages() == ["done", "done"]
    boxes = bench.state("cards")[1]["result"]["boxes"]

    # the crosshair: arrows read the pixel out, Enter masks what is there, Enter again keeps it
    page.locator("#viewer .surface").focus()
    for _ in range(8):
        page.keyboard.press("Shift+ArrowRight")
    told = page.locator("#readout .number").inner_text()
    assert re.match(r"\d+, \d+ · ", told), told
    x, y = (int(number) for number in re.findall(r"\d+", told)[:2])
    x1, y1, x2, y2 = boxes[0]["xyxy"]
    for key, steps in (("ArrowRight", (x1 + x2) / 2 - x), ("ArrowDown", (y1 + y2) / 2 - y)):
        back = {"ArrowRight": "ArrowLeft", "ArrowDown": "ArrowUp"}[key]
        for _ in range(abs(round(steps))):
            page.keyboard.press(key if steps > 0 else back)
    assert boxes[0]["label"] in page.locator("#readout .number").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator(".pick-note")).to_contain_text("pixels", timeout=60_000)
    page.keyboard.press("Enter")
    assert [layer["kind"] for layer in bench.state("layers") if layer["card"] is None] == ["mask"]

    # a length between two points of the crosshair
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".measured")).to_contain_text(re.compile(r"\d m"))

    # an export
    page.keyboard.press("e")
    expect(page.locator("dialog.export")).to_be_visible()
    with page.expect_download() as loaded:
        page.locator("dialog.export [data-form=json]").focus()
        page.keyboard.press("Enter")
    assert json.loads(Path(loaded.value.path()).read_text(encoding="utf-8"))["schema"] == 1
    page.keyboard.press("Escape")

    # every screen
    for screen, name in zip(SCREENS[2:], ("Compare", "History", "Folder", "About"), strict=True):
        tab_to(page, name)
        page.keyboard.press("Enter")
        assert bench.state("screen") == screen
