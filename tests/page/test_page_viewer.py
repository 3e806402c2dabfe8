"""The picture in the page: moved, enlarged, pointed at by mouse and by keyboard; its layers, drawn and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from scripts._workbench import Workbench
from tests.page.conftest import OpenTab

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"

COMMON: dict[str, Any] = {"raw": "", "finish": "stop", "issues": [], "usage": {}, "timings": {}, "image": "x"}

DRAW = """async (results) => {
  const { addLayer } = await import("/static/layers.js");
  const { newKey, picture } = await import("/static/store.js");
  for (const result of results) {
    const question = { task: result.task, args: { classes: ["cup", "pen"] }, options: {} };
    await addLayer({ key: newKey(), question, image: picture.value.id, stage: "drawing", text: "", result });
  }
}"""


def boxes(*rows: tuple[str, list[int], float | None]) -> dict[str, Any]:
    found = [{"label": label, "xyxy": xyxy, "score": score} for label, xyxy, score in rows]
    return {**COMMON, "id": "b", "type": "Boxes", "task": "detect", "boxes": found}


def opened(open_tab: OpenTab, picture: Path | None = None, **options: Any) -> tuple[Workbench, Page]:
    page = open_tab(**options).page
    bench = Workbench(page)
    if picture is None:
        bench.open_sample()
    else:
        bench.open_file(picture)
    page.wait_for_function("() => document.querySelector('.surface .above').width > 300")
    return bench, page


def view(page: Page) -> dict[str, float]:
    found: dict[str, float] = page.evaluate("async () => (await import('/static/view.js')).view.value")
    return found


def alpha(page: Page, bench: Workbench, x: float, y: float, least: int, most: int) -> int:
    """Return how opaque what is drawn above a pixel of the picture is, once it is between two bounds."""
    for _ in range(100):
        found = pixel(page, ".surface .above", bench, x, y)[3]
        if least <= found <= most:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"expected an alpha of {least} to {most}; got {found}")


def pixel(page: Page, canvas: str, bench: Workbench, x: float, y: float) -> list[int]:
    """Return the colour that a canvas of the picture has over a pixel of it."""
    left, top = bench.place(x, y)
    found: list[int] = page.evaluate(
        """([name, x, y]) => {
          const canvas = document.querySelector(name);
          const { left, top } = canvas.getBoundingClientRect();
          const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, Math.floor(left - x), Math.floor(top - y));
          return [...copy.getImageData(0, 0, 1, 1).data];
        }""",
        [canvas, left, top],
    )
    return found


def test_the_wheel_enlarges_at_the_pointer_and_dragging_moves(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab)
    fitted = view(page)
    at = bench.place(100, 80)

    page.mouse.move(*at)
    page.mouse.wheel(0, -400)
    assert view(page)["scale"] > 1.3 * fitted["scale"]
    assert bench.place(100, 80) == pytest.approx(at, abs=1)  # a mouse knows whole pixels
    page.mouse.down(button="middle")
    page.mouse.move(at[0] - 50, at[1] - 30)
    page.mouse.up(button="middle")
    assert bench.place(100, 80) == pytest.approx((at[0] - 50, at[1] - 30), abs=1)
    assert bench.state("layers") == [], "moving asks nothing"

    page.keyboard.press("h")
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + 50, at[1] + 30)
    page.mouse.up()
    assert bench.place(100, 80) == pytest.approx(at, abs=1)

    page.keyboard.press("0")
    assert view(page) == fitted
    page.keyboard.press(")")
    assert view(page)["scale"] == 1
    page.keyboard.press("0")
    percent = page.locator("#viewer .zoom")
    before = percent.inner_text()
    page.set_viewport_size({"width": 1000, "height": 600})
    expect(percent).not_to_have_text(before)
    assert view(page)["scale"] < fitted["scale"]


def test_two_fingers_move_and_enlarge(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab, has_touch=True, viewport={"width": 390, "height": 844})
    before = view(page)["scale"]
    x, y = bench.place(100, 80)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(points)]},
        )

    fingers("touchStart", (x - 20, y), (x + 20, y))
    for spread in (24, 30, 36, 40):
        fingers("touchMove", (x - spread, y), (x + spread, y))
    fingers("touchEnd")
    assert view(page)["scale"] == pytest.approx(2 * before, rel=0.05)
    assert bench.place(100, 80) == pytest.approx((x, y), abs=4)


def test_words_and_outlines_are_marked_together(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab)
    page.evaluate(DRAW, [boxes(("cup", [20, 30, 220, 200], 0.91), ("pen", [100, 80, 160, 120], None))])
    key = bench.state("layers")[0]["card"]
    page.locator("#layers summary").click()
    rows = page.locator("#layers .twin-row")
    assert rows.all_inner_texts() == [
        "cup, left 20 top 30 right 220 bottom 200, score 0.91",
        "pen, left 100 top 80 right 160 bottom 120",
    ]
    page.mouse.move(*bench.place(5, 5))
    alpha(page, bench, 110, 90, 0, 0)

    page.mouse.move(*bench.place(130, 100))
    assert bench.state("marked") == {"card": key, "item": 1}, "the smallest that is there"
    assert "marked" in (rows.nth(1).get_attribute("class") or "")
    alpha(page, bench, 110, 90, 40, 90)
    page.mouse.move(*bench.place(40, 190))
    assert bench.state("marked") == {"card": key, "item": 0}
    page.mouse.move(*bench.place(5, 5))
    assert bench.state("marked") is None

    rows.nth(1).focus()
    assert bench.state("marked") == {"card": key, "item": 1}


def test_an_items_words_have_its_median_distance(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab)
    bench.ask("depth")
    bench.wait_answers()
    page.evaluate(DRAW, [boxes(("cup", [20, 40, 220, 200], None))])
    page.locator("#layers summary").first.click()
    (depth,) = [layer["result"] for layer in bench.state("layers") if layer["kind"] == "depth"]
    answer = page.request.get(f"{page.url.rstrip('/')}/v1/results/{depth['id']}?as=raw")
    values = np.frombuffer(answer.body(), "<f4").reshape(depth["size"][::-1])
    # 15 x 15 points in the middle half of the box
    columns, rows = (
        (70 + 100 * (np.arange(15) + 0.5) / 15).astype(int),
        (80 + 80 * (np.arange(15) + 0.5) / 15).astype(int),
    )
    median = float(np.median(values[np.ix_(rows, columns)]))
    assert page.locator("#layers .twin-row").inner_text().endswith(f"bottom 200, {median:.2f} m")


def test_the_arrow_keys_move_a_crosshair_that_marks_and_stays_in_view(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab)
    width = bench.state("picture")["width"]
    page.evaluate(DRAW, [boxes(("cup", [0, 0, 20, 400], None))])
    page.locator("#viewer .surface").focus()
    page.keyboard.press("ArrowRight")
    assert bench.state("hover")["x"] == width // 2 + 1.5
    page.keyboard.press("Shift+ArrowLeft")
    assert bench.state("hover")["x"] == width // 2 - 8.5
    expect(page.locator(".gesture svg path")).to_have_count(2)

    for _ in range(6):
        page.keyboard.press("+")
    for _ in range(width // 20 + 2):
        page.keyboard.press("Shift+ArrowLeft")
    assert bench.state("hover")["x"] == 0.5
    box = page.locator("#viewer").bounding_box()
    assert box is not None
    assert bench.place(0.5, 1)[0] > box["x"], "the view has followed"
    assert bench.state("marked")["item"] == 0


def test_layers_are_hidden_shown_alone_faded_renamed_and_ordered(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab)
    page.evaluate(DRAW, [boxes(("cup", [20, 30, 220, 200], None)), boxes(("pen", [100, 80, 160, 120], None))])
    names = page.locator("#layers .layer-name")
    assert names.all_inner_texts() == ["Boxes: cup, pen"] * 2
    alpha(page, bench, 220, 150, 250, 255)

    page.locator("#layers [aria-label^='Show Boxes']").nth(1).click()
    alpha(page, bench, 220, 150, 0, 0)
    page.locator("#layers [aria-label^='Show Boxes']").nth(1).click(modifiers=["Alt"])
    assert bench.state("solo") == bench.state("layers")[0]["key"]
    alpha(page, bench, 220, 150, 250, 255)
    alpha(page, bench, 160, 100, 0, 0)
    page.locator("#layers [aria-label^='Show only']").nth(1).click()
    assert bench.state("solo") is None

    page.locator("#layers .opacity").first.fill("0.5")
    alpha(page, bench, 160, 100, 80, 210)
    names.first.click()
    page.locator("#layers input.layer-name").fill("my pen")
    page.keyboard.press("Enter")
    assert bench.state("layers")[1]["name"] == "my pen"
    page.get_by_role("button", name="Move my pen down").click()
    assert names.all_inner_texts() == ["Boxes: cup, pen", "my pen"]
    page.get_by_role("button", name="Remove my pen").click()
    page.get_by_role("button", name="中文").click()
    assert names.all_inner_texts() == ["框: cup, pen"]


def test_a_class_of_the_legend_is_shown_alone(open_tab: OpenTab) -> None:
    bench, page = opened(open_tab, picture=SCENE)
    bench.ask("segment", "circle, sky, grass, star")
    bench.wait_answers()
    (layer,) = bench.state("layers")
    shares = layer["result"]["shares"]
    legend = page.locator("#layers .legend button")
    assert [text.split("\n")[0] for text in legend.all_inner_texts()] == list(shares)

    ids = page.evaluate(
        """async () => {
          const { idsOf } = await import("/static/labels.js");
          const { ids, width } = idsOf((await import("/static/store.js")).layers.value[0]);
          const around = [-2, 0, 2].flatMap((dx) => [-2, 0, 2].map((dy) => dx + dy * width));
          const isWithin = (i) => around.every((step) => ids[i + step] === ids[i]);
          const found = [0, 1].map((id) => ids.findLastIndex((one, i) => one === id && isWithin(i)));
          return found.map((i) => [(i % width) + 0.5, Math.floor(i / width) + 0.5]);
        }"""
    )
    for x, y in ids:
        alpha(page, bench, x, y, 130, 150)
    legend.nth(1).click()
    page.mouse.move(5, 5)
    alpha(page, bench, *ids[0], 0, 0)
    alpha(page, bench, *ids[1], 130, 150)
