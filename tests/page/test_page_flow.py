"""From the sample to every answer and every screen, in one tab each: what the parts of the page do together."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from scripts._workbench import Workbench
from scripts.nano.questions import CORE_CROP_PX
from tests.page.conftest import OpenTab

WORDS = {
    "ask": "What colour is the star?",
    "count": "circle",
    "reason": "How many circles are there?",
    "ground": "the red circle",
    "polygon": "the red circle",
}
WORDLESS = ("describe", "detect", "segment", "depth", "pose", "ocr", "classify")
CROP = str(CORE_CROP_PX)
"""Size of the parts that nano masks things in: the model's own takes seconds each."""

DRAWN = {"detect": "boxes", "segment": "labels", "depth": "depth", "pose": "poses", "refer": "mask"}
"""Tasks that find something in the sample, and what is drawn of them."""


def test_every_task_is_answered_side_by_side_and_its_words_and_places_belong_together(open_tab: OpenTab) -> None:
    tab = open_tab()
    page, bench = tab.page, Workbench(tab.page)
    bench.open_sample()
    for task in WORDLESS:
        bench.ask(task)
    bench.ask("instances", "star, sign", crop_size=CROP)
    bench.ask("click", "click the star", max_tokens="24")
    bench.ask("refer", "the red circle", crop_size=CROP)
    for task, typed in WORDS.items():
        bench.ask(task, typed)
    assert {card["question"]["task"] for card in bench.state("cards")} == set(bench.state("info")["tasks"])
    bench.wait_answers()
    assert {card["stage"] for card in bench.state("cards")} == {"done"}
    cards = {card["question"]["task"]: card for card in bench.state("cards")}
    kinds = {layer["card"]: layer["kind"] for layer in bench.state("layers")}
    assert {task: kinds.get(cards[task]["key"]) for task in DRAWN} == DRAWN

    # words and places: a box that is pointed at is marked in its card, and the read-out names all that is there
    boxes = cards["detect"]["result"]["boxes"]
    x1, y1, x2, y2 = boxes[0]["xyxy"]
    told = bench.hover((x1 + x2) / 2, (y1 + y2) / 2)
    assert re.search(r"\d+(\.\d+)? m\b", told), told
    assert boxes[0]["label"] in told
    detect = page.locator(f'[data-card="{cards["detect"]["key"]}"]')
    page.mouse.move(0, 0)
    detect.locator("[data-item]").first.hover()
    assert bench.state("marked") == {"card": cards["detect"]["key"], "item": 0}
    for task in ("detect", "describe"):
        expect(page.locator(f'[data-card="{cards[task]["key"]}"] .cost').first).to_contain_text(re.compile(r"\d s"))

    # each layer is listed in words
    for details in page.locator("#layers details").all():
        details.locator("summary").click()
        expect(details.locator("li, tr, p").first).not_to_be_empty()


def test_masks_are_made_by_pointing_kept_hidden_and_taken_back(open_tab: OpenTab) -> None:
    tab = open_tab()
    page, bench = tab.page, Workbench(tab.page)
    bench.open_sample()
    bench.ask("detect")
    bench.wait_answers()
    # the first and the last are so far apart that the first one's note covers neither
    first, *_, second = bench.state("cards")[0]["result"]["boxes"]
    note = page.locator(".pick-note")

    def middle(box: dict[str, list[float]]) -> tuple[float, float]:
        x1, y1, x2, y2 = box["xyxy"]
        return (x1 + x2) / 2, (y1 + y2) / 2

    def area() -> int:
        expect(note).to_contain_text(re.compile(r"[\d,]+ pixels"), timeout=30_000)
        found = re.search(r"([\d,]+) pixels", note.inner_text())
        assert found
        return int(found[1].replace(",", ""))

    bench.click(*middle(first))
    alone = area()
    x1, y1, x2, y2 = second["xyxy"]
    bench.drag((x1 + 1, y1 + 1), (x2 - 1, y2 - 1), "Shift")
    page.wait_for_function(
        "(before) => !document.querySelector('.pick-note').innerText.includes(before)", arg=f"{alone:,} pixels"
    )
    together = area()
    assert together > alone
    page.keyboard.press("z")
    assert area() == alone
    page.keyboard.press("Enter")
    assert [(layer["kind"], layer["card"]) for layer in bench.state("layers") if layer["kind"] == "mask"] == [
        ("mask", None)
    ]
    expect(note).to_have_count(0)
    mask = page.locator("#layers li").first
    mask.locator("button").first.click()
    assert [layer["visible"] for layer in bench.state("layers")][-1] is False
    mask.locator("button").first.click(modifiers=["Alt"])
    assert bench.state("solo") == bench.state("layers")[-1]["key"]
    bench.show("compare")
    assert "Mask 1" in page.locator("#compare-a").inner_text()
