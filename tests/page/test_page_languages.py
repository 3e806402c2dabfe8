"""On a Chinese page nothing is left in English: every text and every label of every screen is looked at."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from scripts._workbench import SCREENS, Workbench
from tests.page.conftest import OpenTab
from tests.page.test_page_words import HAN

SHOWN = """() => {
  const foreign = (element) => element.closest("[translate=no], code, kbd, pre, script, style, [lang]:not(html)");
  const isSeen = (element) => element.checkVisibility();
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.data.trim() && isSeen(node.parentElement) && !foreign(node.parentElement)) found.push(node.data.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")) {
    if (!isSeen(element) || foreign(element)) continue;
    for (const name of ["aria-label", "title", "placeholder", "alt"]) {
      if (element.getAttribute(name)) found.push(element.getAttribute(name));
    }
  }
  return [...new Set(found)];
}"""
"""What is seen and read aloud, other than what is marked as foreign: words of the model, names, code."""

NAMES = re.compile(
    r"\b(COCO|LabelMe|Label Studio|CVAT|YOLO|"
    r"PNG|NPZ|PLY|CSV|JSON|JSONL|ZIP|WebP|JPEG|HEIC|OpenAPI|openapi\.json|zip|curl|Python|HTTP|NumPy|"
    r"lit-html|signals-core|youtu-gguf|youtu_gguf|Youtu-VL|llama\.cpp|nano|native|GGUF|WebGL2?|EXIF|IoU|RGB|RLE|"
    r"Ctrl|Shift|Alt|Enter|Esc|Tab|Top p|MIT|BSD-3|px|mm|cm|kB|MB|GB|ms|min|sample\.webp)\b|[A-Za-z]\b"
)
"""Names that are the same in every language, and single letters such as keys, axes and units."""


def left_in_english(page: Page) -> list[str]:
    found = page.evaluate(SHOWN)
    return [text for text in found if re.search(r"[A-Za-z]{2}", NAMES.sub("", text)) and not HAN.search(text)]


def test_no_word_of_any_screen_is_left_in_english(open_tab: OpenTab) -> None:
    tab = open_tab(locale="zh-CN")
    page, bench = tab.page, Workbench(tab.page)
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("#start h1")).to_be_visible()
    found = {"start": left_in_english(page)}
    bench.open_sample()
    for task in ("detect", "segment", "depth", "pose", "describe"):
        bench.ask(task)
    bench.ask("ground", "the red circle")
    bench.wait_answers()
    page.locator("#ask .ask-gear").click()
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    bench.hover(40, 40)
    for screen in SCREENS[1:]:
        bench.show(screen)
        page.wait_for_timeout(100)
        found[screen] = left_in_english(page)
    bench.show("work")
    page.keyboard.press("Escape")
    page.locator("#title").evaluate("() => document.activeElement?.blur()")
    for name, key in (("help", "?"), ("export", "e")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        found[name] = left_in_english(page)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    left = [f"{screen}: {text}" for screen, texts in found.items() for text in texts]
    assert not left, "\n".join(left)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    for screen in ("start", "history", "folder", "about"):
        bench.show(screen)
        assert not HAN.search(page.locator(f"#{screen}").inner_text())
