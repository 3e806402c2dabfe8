#!/usr/bin/env python3
"""What the page of `youtu-gguf serve` costs, and how smooth it is.

    python scripts/bench/page.py [--graphics none|played|system] [--rounds 5] [--beside http://127.0.0.1:8080/]

Chromium without a window opens the page of a server with nano. Then it shows a photograph of 12 megapixels with a label
map and masks on it, which is dragged, zoomed and hovered over by real input. `--graphics` says what draws: "none", as
Chromium does without a graphics card; "played", where the processor plays one, so that there is WebGL; or the system's.
`--beside` opens another page as well, such as that of a llama-server, in turns with this one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from _full import machine, photograph
from _page_frames import FrameWatch, followed, watch_text
from _serve_rows import Row
from PIL import Image
from playwright.sync_api import Browser, Page, Request, ViewportSize

from scripts._arguments import count
from scripts._browser import DRAWN_BY_PROCESSOR, WITHOUT_GRAPHICS, browsing
from scripts._serving import serving
from scripts._workbench import Workbench
from youtu_gguf.serve.page import page_files

SIZE = (4000, 3000)
WINDOW: ViewportSize = {"width": 1600, "height": 1000}

GRAPHICS_FLAGS: dict[str, tuple[str, ...]] = {"none": WITHOUT_GRAPHICS, "played": DRAWN_BY_PROCESSOR, "system": ()}

MOST_BYTES = 200_000
FIRST_PAINT_MS = 300
N_MASKS = 3
FRAMES_PER_SECOND = 50
READOUT_MS = 16

FETCHED = "() => performance.getEntriesByType('resource').reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
"""Bytes of what a page loaded, as they were sent."""

PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
GRAPHICS = """() => {
  const gl = document.createElement("canvas").getContext("webgl2");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  return named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : "no WebGL2";
}"""


def sizes() -> list[Row]:
    """Return the bytes of each file of the page as it is sent, the largest first, and of all."""
    found = sorted(((len(file.packed or file.body), name) for name, file in page_files().items()), reverse=True)
    rows = [Row(f"bytes of {name}", size / 1000, unit="kB") for size, name in found]
    written = sum(len(file.body) for file in page_files().values())
    total = sum(size for size, _ in found)
    return [
        *rows,
        Row("bytes in all, as sent", total / 1000, MOST_BYTES / 1000, "kB", f"{written / 1000:.0f} kB as files"),
    ]


def opening(browser: Browser, address: str, rounds: int) -> list[Row]:
    """Return what the first look at the page costs a browser that has nothing of it."""
    looks = [_look(browser, address) for _ in range(rounds)]
    paints = [paint for paint, _ in looks]
    own = [request for request in looks[-1][1] if request.url.startswith(address)]
    outside = sum(
        not request.url.startswith((address, "data:", "blob:")) for _, requests in looks for request in requests
    )
    return [
        Row("first paint, median", float(np.median(paints)), FIRST_PAINT_MS, "ms", f"{rounds} new contexts"),
        Row("first paint, longest", max(paints), unit="ms"),
        Row("requests beyond the server", outside, 0),
        Row("requests of the first look", len(own)),
    ]


def beside(browser: Browser, address: str, other: str, rounds: int) -> list[Row]:
    """Return the first paint of this page and of another, opened in turns, and what the other makes a browser load."""
    paints: dict[str, list[float]] = {address: [], other: []}
    for _ in range(rounds):
        for opened, seen in paints.items():
            seen.append(_look(browser, opened)[0])
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.goto(other, wait_until="networkidle")
    fetched = float(page.evaluate(FETCHED))
    context.close()
    return [
        Row("first paint in turns, this page", float(np.median(paints[address])), unit="ms"),
        Row("first paint in turns, the other page", float(np.median(paints[other])), unit="ms"),
        Row("bytes in all, the other page", fetched / 1000, unit="kB"),
    ]


def _look(browser: Browser, address: str) -> tuple[float, list[Request]]:
    """Return the milliseconds to the first paint, and what was requested until the page was quiet."""
    context = browser.new_context(viewport=WINDOW)
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    context.on("request", note)
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    paint = float(page.wait_for_function(PAINT).json_value())
    context.close()
    return paint, asked


def large_photograph(folder: Path) -> Path:
    """Write a photograph of `SIZE`, enlarged, with noise as a sensor has."""
    rgb = photograph(*SIZE).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 6, rgb.shape).astype(np.int16)
    path = folder / "photograph.jpg"
    Image.fromarray(np.clip(rgb + noise, 0, 255).astype(np.uint8)).save(path, quality=92)
    return path


def fill(bench: Workbench, path: Path) -> None:
    """Open the photograph, and put a label map and at least three masks on it."""
    bench.open_file(path)
    bench.ask("segment", "sky, grass, person, circle")
    bench.wait_answers()
    width, height = SIZE
    for left in np.linspace(0.05, 0.75, 6):
        box = [float(left) * width, 0.2 * height, float(left + 0.2) * width, 0.8 * height]
        bench.page.evaluate(
            "async (box) => { (await import('/static/questions.js')).ask({ task: 'refer', args: { box } }); }", box
        )
    bench.wait_answers()
    kinds = [layer["kind"] for layer in bench.state("layers")]
    if kinds.count("labels") != 1 or kinds.count("mask") < N_MASKS:
        failures = [card["failure"] for card in bench.state("cards")]
        raise RuntimeError(f"expected a label map and {N_MASKS} masks on the picture; got {kinds} ({failures})")


def moving(page: Page) -> list[Row]:
    """Return how evenly the picture moves, in frames."""
    box = page.locator("#viewer").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    rows = []
    page.mouse.move(*middle)
    for _ in range(6):  # into the picture, where there is somewhere to go
        page.mouse.wheel(0, -120)
    page.wait_for_timeout(500)
    with FrameWatch(page) as panning:
        page.mouse.down(button="middle")
        for dx, dy in ((300, 200), (-300, -200), (300, -150), (-300, 150)) * 3:
            page.mouse.move(middle[0] + dx, middle[1] + dy, steps=20)
        page.mouse.up(button="middle")
    with FrameWatch(page) as zooming:
        page.mouse.move(*middle)
        for direction in (-1, 1) * 4:
            for _ in range(15):
                page.mouse.wheel(0, 40 * direction)
                page.wait_for_timeout(16)
    for name, watch in (("dragging", panning), ("zooming", zooming)):
        frames = watch.frames
        text = f"p95 {frames.p95_ms:.1f} ms, longest {frames.longest_ms:.1f} ms between frames"
        rows.append(Row(f"{name} 12 megapixels", frames.per_second, FRAMES_PER_SECOND, "/s", text, least=True))
    return rows


def hovering(page: Page) -> list[Row]:
    """Return how soon the read-out follows the pointer."""
    box = page.locator("#viewer").bounding_box()
    assert box is not None
    watch_text(page, "#readout")
    for n in range(200):
        page.mouse.move(box["x"] + box["width"] * (0.3 + 0.002 * n), box["y"] + box["height"] * (0.35 + 0.001 * n))
        page.wait_for_timeout(20)
    times = followed(page)
    return [
        Row("read-out written after the pointer moved, p95", times.written, READOUT_MS, "ms", f"{times.n} moves"),
        Row("read-out painted after the pointer moved, p95", times.painted, READOUT_MS, "ms"),
        Row("the same from the input, which waits for a frame", times.painted_from_input, unit="ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphics", choices=GRAPHICS_FLAGS, default="none")
    parser.add_argument("--rounds", type=count, default=5)
    parser.add_argument("--beside", metavar="URL")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("nano") as server,
        browsing(*GRAPHICS_FLAGS[args.graphics]) as browser,
    ):
        address = f"http://127.0.0.1:{server.port}/"
        rows = [*sizes(), *opening(browser, address, args.rounds)]
        if args.beside:
            rows += beside(browser, address, args.beside, args.rounds)
        page = browser.new_page(viewport=WINDOW)
        page.goto(address)
        print(f"{machine()}; Chromium {browser.version}, {page.evaluate(GRAPHICS)}; nano")
        fill(Workbench(page), large_photograph(Path(folder)))
        rows += [*moving(page), *hovering(page)]
    for row in rows:
        print(row)
    sys.exit(not all(row.met for row in rows))


if __name__ == "__main__":
    main()
