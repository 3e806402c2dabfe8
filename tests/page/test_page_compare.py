"""The comparison of two answers: what differs, worked out beside independent figures, and the screen that shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from scripts._workbench import Workbench
from tests.page.conftest import OpenTab

SCENE = Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png"
BLINK_MS = 1200
"""More than a turn takes."""


def found(page: Page, expression: str, argument: Any = None) -> Any:
    """Return what an expression with the functions of `differences.js` as `d`, and `x`, gives."""
    return page.evaluate(
        f"async (x) => {{ const d = await import('/static/differences.js'); return {expression}; }}", argument
    )


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two boxes with whole corners, by counting pixels."""
    seen = np.zeros((2, 64, 64), bool)
    for mask, (left, top, right, bottom) in zip(seen, (a, b), strict=True):
        mask[top:bottom, left:right] = True
    return float((seen[0] & seen[1]).sum() / max(1, (seen[0] | seen[1]).sum()))


def patch(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """Return a rectangle of a mask as the page has it."""
    bits = mask[top:bottom, left:right]
    size = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**size, "bits": bits.ravel().tolist(), "area": int(bits.sum())}


def test_differences_are_what_independent_figures_say(open_tab: OpenTab) -> None:
    page, random = open_tab().page, np.random.default_rng(5)
    corners = np.sort(random.integers(0, 64, (2, 12, 2, 2)), axis=2).reshape(2, 12, 4)
    overlaps = [[iou(a, b) for b in corners[1]] for a in corners[0]]
    assert found(page, "x[0].map((a) => x[1].map((b) => d.boxIou(a, b)))", corners.tolist()) == [
        pytest.approx(row) for row in overlaps
    ]

    # Greedy: the second of B is the better partner of the first of A, which leaves the first of B to the third.
    items = [
        [
            {"label": "cup", "xyxy": [0, 0, 10, 10]},
            {"label": "cup", "xyxy": None},
            {"label": "pen", "xyxy": [0, 0, 10, 7]},
        ],
        [
            {"label": "cup", "xyxy": [0, 0, 10, 8]},
            {"label": "mug", "xyxy": [0, 0, 10, 10]},
            {"label": "cup", "xyxy": [0, 0, 10, 10]},
        ],
    ]
    matches = found(page, "d.matchItems(...x)", items)
    assert [(pair["a"], pair["b"]) for pair in matches["pairs"]] == [(0, 2), (2, 0)]
    assert [pair["iou"] for pair in matches["pairs"]] == pytest.approx([1, 7 / 8])
    assert (matches["onlyA"], matches["onlyB"]) == ([1], [1])

    masks = np.zeros((2, 40, 50), int)
    masks[0, 5:30, 10:40], masks[1, 20:40, 0:25] = random.integers(0, 2, (25, 30)), random.integers(0, 2, (20, 25))
    patches = [patch(masks[0], 10, 5, 40, 30), patch(masks[1], 0, 20, 25, 40), patch(masks[1], 40, 30, 50, 40)]
    inside, outside = (found(page, "d.maskDifference(...x)", pair) for pair in (patches[:2], patches[::2]))
    both, either = int((masks[0] & masks[1]).sum()), int((masks[0] | masks[1]).sum())
    assert (inside["both"], inside["iou"]) == (both, pytest.approx(both / either))
    assert inside["onlyA"] + inside["onlyB"] == either - both
    assert (outside["both"], outside["onlyA"], outside["iou"]) == (0, int(masks[0].sum()), 0)
    assert found(page, "d.maskDifference(x, x).iou", patches[2]) is None

    # Classes of other numbers, and of other backgrounds: sky, cup, none | cup, pen, sky, none.
    agreement = "d.labelAgreement({ids: [0, 1, 255, 0, 1], background: 255, classes: ['sky', 'cup']}, x)"
    other = {"ids": [2, 0, 65535, 1, 65535], "background": 65535, "classes": ["cup", "pen", "sky"]}
    assert found(page, agreement, other) == pytest.approx(3 / 5)
    shares = found(page, "d.shareDifferences({sky: 0.5, cup: 0.5}, {cup: 0.25})")
    assert shares == [
        {"name": "sky", "a": 0.5, "b": 0}, {"name": "cup", "a": 0.5, "b": 0.25}, {"name": None, "a": 0, "b": 0.75},
    ]  # fmt: skip


def test_distances_are_compared_in_metres_only_where_both_have_them(open_tab: OpenTab) -> None:
    page, random = open_tab().page, np.random.default_rng(6)
    a, b = random.uniform(1, 9, (2, 401)).astype(np.float32)
    a[::7] = b[::5] = 0
    valid = (a > 0) & (b > 0)
    compare = "d.depthDifference(...x.map(([unit, values]) => ({unit, values: Float32Array.from(values)})))"
    metres = found(page, compare, [["m", a.tolist()], ["m", b.tolist()]])
    difference = b[valid].astype(float) - a[valid]
    assert (metres["unit"], metres["n"]) == ("m", int(valid.sum()))
    assert (metres["median"], metres["spread"]) == pytest.approx((np.median(difference), np.median(abs(difference))))
    ratio = found(page, compare, [["m", a.tolist()], ["relative", (3 * a).tolist()]])
    assert (ratio["unit"], ratio["median"], ratio["spread"]) == (
        "relative",
        pytest.approx(3),
        pytest.approx(0, abs=1e-6),
    )
    assert found(page, compare, [["m", [0, 1]], ["m", [1, 0]]]) is None


WORDS = [
    ("A red cup.", "A blue cup.", [("same", "A "), ("a", "red"), ("b", "blue"), ("same", " cup.")]),
    ("红色的杯子", "蓝色的杯子", [("a", "红色"), ("b", "蓝色"), ("same", "的杯子")]),
    ("", "new", [("b", "new")]),
    ("the end", "the end", [("same", "the end")]),
    ("one two", "", [("a", "one two")]),
    ("word " * 5000, "other " * 5000, [("a", "word " * 5000), ("b", "other " * 5000)]),  # by sentences
]


def test_words_are_told_apart(open_tab: OpenTab) -> None:
    runs = found(open_tab().page, "x.map(([a, b]) => d.wordDiff(a, b))", [texts[:2] for texts in WORDS])
    assert [[(run["kind"], run["text"]) for run in each] for each in runs] == [texts[2] for texts in WORDS]


def sides(page: Page) -> list[list[int]]:
    """Return the colours of the canvas near its left and right edge, in the ground."""
    return page.evaluate("""() => {
      const shown = document.getElementById("compare-canvas");
      const copy = new OffscreenCanvas(shown.width, shown.height).getContext("2d", {willReadFrequently: true});
      copy.drawImage(shown, 0, 0);
      const at = (x, y) => [...copy.getImageData(x * shown.width, y * shown.height, 1, 1).data];
      return [at(0.06, 0.9), at(0.94, 0.12)];
    }""")


def until(page: Page, holds: Callable[[list[list[int]]], bool]) -> list[list[int]]:
    """Return the colours of `sides` as soon as they are as wanted; the canvas is drawn with the next frame."""
    for _ in range(100):
        colours = sides(page)
        if holds(colours):
            return colours
        page.wait_for_timeout(50)
    raise AssertionError(f"the canvas still shows {colours}")


def test_two_answers_are_split_blended_and_told_in_a_table(open_tab: OpenTab) -> None:
    page = open_tab().page
    bench = Workbench(page)
    bench.open_file(SCENE)
    for task, typed in (("segment", ""), ("detect", "circle"), ("detect", "")):
        bench.ask(task, typed)
        bench.wait_answers()
    bench.card().get_by_role("button", name="Compare").click()
    expect(page.locator("#compare-b")).to_be_focused()
    rows = page.locator("#compare tbody tr")
    expect(rows).to_have_count(5)
    assert page.locator("#compare tbody tr.both td:nth-child(2)").all_inner_texts() == ["circle", "circle"]
    expect(page.locator("#compare .differences")).to_contain_text("2 in both, 0 only in A, 3 only in B")

    # A threshold on one side takes its objects out of the table.
    page.get_by_label("Least score of B").fill("1")
    expect(page.locator("#compare .differences")).to_contain_text("0 in both, 2 only in A, 0 only in B")
    page.get_by_label("Least score of B").fill("0")

    # A row shows its box in the picture.
    drawn = "document.getElementById('compare-canvas').toDataURL()"
    plain = page.evaluate(drawn)
    rows.first.focus()
    page.wait_for_function(f"(plain) => {drawn} !== plain", arg=plain)

    page.locator("#compare h1").click()
    bare = sides(page)  # no box reaches these two places

    # The label map covers all that is left of the line, whether this is moved by keys or dragged.
    page.select_option("#compare-a", index=2)
    page.wait_for_function("() => document.querySelector('#compare-a').selectedOptions[0].text.startsWith('1.')")
    slider = page.get_by_label("Where A ends and B begins")
    assert slider.input_value() == "50"
    split = until(page, lambda colours: colours[0] != bare[0] and colours[1] == bare[1])
    slider.focus()
    slider.press("End")
    until(page, lambda colours: colours[0] == split[0] and colours[1] != bare[1])
    box = page.locator(".compare-stage").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, y, steps=3)
    page.mouse.up()
    assert int(slider.input_value()) <= 1
    until(page, lambda colours: colours == bare)
    slider.press("Home")
    page.locator("#compare h1").click()
    page.keyboard.press("Shift+ArrowRight")
    assert slider.input_value() == "10"
    page.get_by_role("button", name="Blend").click()
    assert page.get_by_label("How much of B is seen").input_value() == "10"
    expect(page.locator("#compare .differences")).to_contain_text("different kinds")


def test_blinking_stops_on_demand_and_never_starts_by_itself_where_motion_is_reduced(open_tab: OpenTab) -> None:
    page = open_tab(reduced_motion="reduce").page
    bench = Workbench(page)
    bench.open_file(SCENE)
    bench.ask("detect")
    bench.wait_answers()
    bench.show("compare")
    page.get_by_role("button", name="Blink", exact=True).click()
    name = page.locator(".compare-stage .side-name")
    page.wait_for_timeout(BLINK_MS)
    expect(name).to_have_text("A")
    page.get_by_role("button", name="Show B").click()
    expect(name).to_have_text("B")
    page.get_by_role("button", name="Blink by itself").click()
    expect(name).to_have_text("A")
    expect(name).to_have_text("B")
    page.get_by_role("button", name="Pause").click()
    shown = name.inner_text()
    page.wait_for_timeout(BLINK_MS)
    expect(name).to_have_text(shown)


FORGET = """async () => {
  const { cards } = await import("/static/store.js");
  cards.value = cards.value.map((card) => ({ ...card, result: { ...card.result, id: "res_gone" } }));
}"""
"""Leaves the page with a result that the server does not know."""


def test_pixels_that_the_server_no_longer_has_are_an_error_in_its_words(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("^404 GET .*/v1/results/res_gone")
    bench = Workbench(tab.page)
    bench.open_file(SCENE)
    bench.ask("segment")
    bench.wait_answers()
    tab.page.evaluate(FORGET)
    bench.show("compare")
    expect(tab.page.locator("#compare [role=alert]")).to_contain_text("res_gone")
