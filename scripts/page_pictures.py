#!/usr/bin/env python3
"""Takes pictures of the page: each screen with nano and the sample, in two languages, dark and light, wide and narrow.

    python scripts/page_pictures.py FOLDER [--only start depth ...]
    python scripts/page_pictures.py --docs

`--docs` writes those of the documentation, small, into docs/pictures/page. A font with Chinese characters must be there
(Debian: fonts-noto-cjk).
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from scripts._browser import DRAWN_BY_PROCESSOR, browsing
from scripts._serving import serving
from scripts._workbench import READY_MS, Workbench
from scripts.nano.scenes import TEST_SEEDS, draw

DOCS = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "page"
WIDE: ViewportSize = {"width": 1600, "height": 1000}
NARROW: ViewportSize = {"width": 390, "height": 844}
QUALITY = 82
N_IN_FOLDER = 6
FOUND = "() => /pixels|像素/.test(document.querySelector('.pick-note')?.innerText ?? '')"


class Tour:
    """One tab that is led through the page; each step goes on where the last one ended."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.bench = page, Workbench(page)
        self._folder = folder
        self.steps: dict[str, Callable[[], None]] = {
            "start": self.start,
            "objects": self.objects,
            "classes": self.classes,
            "mask": self.mask,
            "depth": self.depth,
            "cloud": self.cloud,
            "export": self.export,
            "help": self.help,
            "compare": self.compare,
            "history": self.history,
            "folder": self.folder,
            "about": self.about,
        }

    def start(self) -> None:
        self.page.locator("#start h1").wait_for()

    def objects(self) -> None:
        self.bench.open_sample()
        self.bench.ask("detect")
        self.bench.ask("describe")
        self.bench.ask("pose")
        self.bench.wait_answers()
        card = next(card for card in self.bench.state("cards") if card["question"]["task"] == "detect")
        self.page.locator(f'[data-card="{card["key"]}"] [data-item]').nth(1).hover()

    def classes(self) -> None:
        self.bench.ask("segment")
        self.bench.wait_answers()
        self.bench.hover(60, 60)

    def mask(self) -> None:
        self._solo("Boxes", "方框")
        card = next(card for card in self.bench.state("cards") if card["question"]["task"] == "detect")
        self.page.locator("#viewer").scroll_into_view_if_needed()
        x1, y1, x2, y2 = card["result"]["boxes"][0]["xyxy"]
        self.bench.click((x1 + x2) / 2, (y1 + y2) / 2)
        self.page.wait_for_function(FOUND, timeout=READY_MS)

    def depth(self) -> None:
        self.page.keyboard.press("Enter")
        self.bench.ask("depth")
        self.bench.wait_answers()
        self._solo("Depth", "深度")
        self.page.evaluate("() => document.activeElement.blur()")
        self.page.keyboard.press("m")
        self.page.locator("#viewer").scroll_into_view_if_needed()
        self.bench.drag((150, 235), (250, 160))
        self.bench.hover(170, 200)

    def cloud(self) -> None:
        self.page.get_by_role("button", name=re.compile("^(Point cloud|点云)$")).first.click()
        self.page.wait_for_timeout(1500)

    def export(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.evaluate("() => document.activeElement.blur()")
        self.page.keyboard.press("e")
        self.page.locator("dialog.export").wait_for()

    def help(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.evaluate("() => document.activeElement.blur()")
        self.page.keyboard.press("?")
        self.page.locator("dialog.help").wait_for()

    def compare(self) -> None:
        self.page.keyboard.press("Escape")
        self.bench.ask("detect", "circle, star")
        self.bench.wait_answers()
        self.bench.show("compare")
        first = next(card for card in reversed(self.bench.state("cards")) if card["question"]["task"] == "detect")
        self.page.locator("#compare-b").select_option(value=first["key"])
        self.page.wait_for_timeout(500)

    def history(self) -> None:
        self.bench.show("history")
        self.page.wait_for_timeout(500)

    def folder(self) -> None:
        self.bench.show("folder")
        files = []
        for number in range(N_IN_FOLDER):
            path = self._folder / f"scene-{number}.png"
            if not path.exists():
                Image.fromarray(draw(TEST_SEEDS + number).rgb).save(path)
            files.append(path)
        self.page.locator("#folder input[type=file]").first.set_input_files(files)
        self.page.locator("#folder button.main").first.click()
        self.page.wait_for_timeout(8000)

    def about(self) -> None:
        self.bench.show("about")
        self.page.wait_for_timeout(500)

    def _solo(self, *names: str) -> None:
        """Show only the layer of one of these names."""
        row = next(row for name in names for row in self.page.locator("#layers li.layer").filter(has_text=name).all())
        row.locator("button").first.click(modifiers=["Alt"])


def look(browser: Browser, address: str, folder: Path, *, lang: str, theme: str, size: ViewportSize) -> Tour:
    context = browser.new_context(
        viewport=size,
        locale={"en": "en-GB", "zh": "zh-CN"}[lang],
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=size is NARROW,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address)
    return Tour(page, folder)


def take(tour: Tour, folder: Path, only: list[str]) -> None:
    """Write a picture of each step."""
    for name, step in tour.steps.items():
        step()
        if not only or name in only:
            tour.page.screenshot(path=folder / f"{name}.png")


def document(tour: Tour) -> None:
    """Write the pictures of the documentation."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, step in tour.steps.items():
        step()
        if name in ("objects", "classes", "depth", "compare", "folder"):
            shot = Image.open(BytesIO(tour.page.screenshot()))
            shot.convert("RGB").save(DOCS / f"{name}.webp", quality=QUALITY, method=6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--docs", action="store_true")
    args = parser.parse_args()
    if (args.folder is None) != args.docs:
        parser.error("give a folder or --docs")
    if shutil.which("fc-list") and not subprocess.check_output(["fc-list", ":lang=zh"]):
        parser.error("there is no font with Chinese characters (Debian: apt install fonts-noto-cjk)")
    with tempfile.TemporaryDirectory() as temporary, serving() as server, browsing(*DRAWN_BY_PROCESSOR) as browser:
        address, scratch = f"http://127.0.0.1:{server.port}/", Path(temporary)
        if args.docs:
            document(look(browser, address, scratch, lang="en", theme="dark", size={"width": 1280, "height": 800}))
            return
        for lang, theme, size in (
            ("en", "dark", WIDE),
            ("zh", "light", WIDE),
            ("zh", "dark", NARROW),
            ("en", "light", NARROW),
        ):
            folder = args.folder / f"{lang}-{theme}-{size['width']}"
            folder.mkdir(parents=True, exist_ok=True)
            take(look(browser, address, scratch, lang=lang, theme=theme, size=size), folder, args.only)


if __name__ == "__main__":
    main()
