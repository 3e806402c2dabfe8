"""Questions and answers on the page: the ask line, cards that stream, words that mark boxes, the history, the help."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route

from tests.page.conftest import OpenTab

CUT_OFF = 'event: queued\ndata: {"position":1,"eta_s":1}\n\nevent: piece\ndata: {"index":0,"text":"a red 圆"}\n\n'
"""A stream that ends before its answer does."""


def _open_sample(page: Page) -> None:
    page.click("[data-open=sample]")
    page.wait_for_selector(".ask-words")


def _ask(page: Page, task: str, typed: str = "") -> str:
    """Ask by chip and keyboard; return the selector of the card."""
    n_before = page.locator(".card").count()
    page.click(f"[data-task={task}]")
    page.keyboard.type(typed)
    page.keyboard.press("Enter")
    page.wait_for_selector(f".card >> nth={n_before}")
    key = page.locator(".card").first.get_attribute("data-card")
    return f".card[data-card={key}]"


def _refusal(status: int, code: str, **headers: str) -> dict[str, Any]:
    error = {"error": {"message": "in the server's words", "type": "x", "param": None, "code": code}}
    body = json.dumps({**error, "request_id": "req_of_test"})
    return {"status": status, "body": body, "headers": {"content-type": "application/json", **headers}}


def test_questions_are_asked_by_keys_and_keep_what_was_typed(open_tab: OpenTab) -> None:
    page = open_tab().page
    _open_sample(page)
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    assert "Type something first" in page.inner_text(".ask-needed")
    page.keyboard.type("What colour is the st")
    page.evaluate(
        "() => document.querySelector('.ask-words').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    assert page.locator(".card").count() == 0, "Enter was sent while an input method had it"
    page.reload()
    _open_sample(page)
    assert page.input_value(".ask-words") == "What colour is the st"
    page.keyboard.press("/")
    page.keyboard.press("End")
    page.keyboard.type("ar?")
    page.keyboard.press("Enter")
    assert page.input_value(".ask-words") == ""
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("8")
    page.keyboard.type("circle")
    with page.expect_request("**/v1/tasks") as sent:
        page.keyboard.press("Enter")
    assert sent.value.post_data_json["tasks"] == [{"task": "count", "what": "circle"}]
    assert sent.value.post_data_json["options"] == {"scores": True}
    page.wait_for_selector(".card[data-stage=done] >> nth=1")
    assert page.inner_text(".card >> nth=0 >> .large") == "2"
    assert page.inner_text(".card >> nth=1 >> .answer").strip()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.input_value(".ask-words") == "What colour is the star?"
    assert page.get_attribute("[data-task=ask]", "aria-pressed") == "true"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.input_value(".ask-words") == ""
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    assert "Go to the ask line" in page.inner_text("dialog.help")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.help", state="detached")


def test_words_and_rows_of_an_item_are_marked_together(open_tab: OpenTab) -> None:
    page = open_tab().page
    _open_sample(page)
    card = _ask(page, "detect")
    page.wait_for_selector(card + "[data-stage=done]")
    raw = page.inner_text(card + " .raw-text")
    words = page.locator(card + " mark").all_inner_texts()
    assert raw.count("<box>") == page.locator(card + " .item").count() > 1
    assert words[1].startswith("<x_") and words[1].endswith(">")
    page.hover(card + " mark >> nth=1")
    assert page.locator(card + " .item.marked").get_attribute("data-item") == "0"
    page.focus(card + " .item >> nth=1")
    assert page.evaluate("import('/static/store.js').then(m => m.marked.value.item)") == 1
    page.evaluate(
        "card => import('/static/store.js').then(m => { m.marked.value = {card, item: 2} })",
        page.get_attribute(card, "data-card"),
    )
    assert page.locator(card + " .item.marked").get_attribute("data-item") == "2"
    assert page.locator(card + " mark.marked").count() >= 1


def test_segments_count_characters_and_not_halves_of_them(open_tab: OpenTab) -> None:
    page = open_tab().page
    segments = page.evaluate(
        "given => import('/static/spans.js').then(m => m.segmentsOf(...given))",
        ["😀ab圆c", [[[1, 2], [4, 5]], [[1, 3]]], [{"start": 3, "end": 5}]],
    )
    assert [(s["text"], s["items"], s["issues"]) for s in segments] == [
        ("😀", [], []),
        ("a", [0, 1], []),
        ("b", [1], []),
        ("圆", [], [0]),
        ("c", [0], [0]),
    ]


def test_faults_keep_what_was_written_and_are_asked_again(open_tab: OpenTab) -> None:
    tab = open_tab()
    page = tab.page
    tab.expect("^404 POST .*/v1/tasks", "^429 POST .*/v1/tasks", "^failed net::ERR_FAILED POST .*/v1/tasks")
    _open_sample(page)
    answers = [_refusal(404, "image_not_found"), _refusal(429, "queue_full", **{"Retry-After": "1"})]

    def refuse(route: Route) -> None:
        if answers:
            route.fulfill(**answers.pop(0))
        else:
            route.fallback()

    page.route("**/v1/tasks", refuse)
    card = _ask(page, "ocr")
    page.wait_for_selector(card + " .failure.mild")
    assert "asking again in" in page.inner_text(card + " .stage")
    page.wait_for_selector(card + "[data-stage=done]")
    page.unroute("**/v1/tasks")

    page.route("**/v1/tasks", lambda route: route.fulfill(body=CUT_OFF, content_type="text/event-stream"))
    card = _ask(page, "describe")
    page.wait_for_selector(card + "[data-stage=failed]")
    assert "connection to the server was lost" in page.inner_text(card + " .failure")
    assert page.inner_text(card + " .streaming") == "a red 圆"
    page.unroute("**/v1/tasks")
    page.route("**/v1/tasks", lambda route: route.abort())
    page.click(card + " >> text=/^Ask again/")
    page.wait_for_selector(card + "[data-stage=waiting]", state="detached")
    page.wait_for_selector(card + "[data-stage=failed]")
    assert page.inner_text(card + " .streaming") == "a red 圆", "asking again lost what was written"
    page.unroute("**/v1/tasks")
    page.click(card + " >> text=/^Ask again/")
    page.wait_for_selector(card + "[data-stage=done]")
    assert "picture read once" in page.inner_text(card + " .cost >> nth=0")

    held: list[Route] = []
    page.route("**/v1/tasks", lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes functions alone
    card = _ask(page, "pose")
    page.keyboard.press("Escape")
    page.wait_for_selector(card + "[data-stage=stopped]")
    page.click(card + " >> text=Edit")
    assert page.get_attribute("[data-task=pose]", "aria-pressed") == "true"


def test_history_opens_a_picture_with_its_answers_and_forgets_it(open_tab: OpenTab) -> None:
    page = open_tab().page
    _open_sample(page)
    page.wait_for_selector(_ask(page, "detect") + "[data-stage=done]")
    page.wait_for_selector(_ask(page, "depth") + "[data-stage=done]")
    page.click("nav >> text=History")
    page.wait_for_selector(".record >> text=Depth")
    page.reload()
    page.click("nav >> text=History")
    page.fill("[type=search]", "no such words")
    page.wait_for_selector("text=Nothing matches.")
    page.fill("[type=search]", "find")
    page.click(".record >> text=Open again")
    page.wait_for_selector(".card >> nth=1")
    assert page.locator(".card h3").all_inner_texts() == ["Depth", "Find: everything"]
    page.wait_for_selector("#layers >> text=Depth")
    page.click("nav >> text=History")
    page.fill("[type=search]", "")
    page.click("text=Delete all")
    page.click(".bar >> text=Keep them")
    page.click("text=Delete all")
    page.click(".bar >> [role=alert] + button")
    page.wait_for_selector("text=Nothing is kept yet")
