"""A folder in the page: one task for many pictures, told in rows, saved as files, opened on the workbench."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.page.conftest import OpenTab

SCENE = (Path(__file__).parents[2] / "docs" / "pictures" / "tasks" / "scene.png").read_bytes()


def scene(name: str, end: int = 0) -> dict[str, Any]:
    """Return the drawn scene as a file; another `end` makes another file of it."""
    return {"name": name, "mimeType": "image/png", "buffer": SCENE + bytes(end)}


FILES = [
    scene("2.png", 2),
    scene("10.png", 10),
    {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": SCENE[:200]},
    {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"},
]


def open_folder(page: Page, files: list[dict[str, Any]]) -> None:
    page.evaluate("(async () => { (await import('/static/store.js')).screen.value = 'folder'; })()")
    page.locator("#folder input[type=file]").first.set_input_files(files)  # type: ignore[arg-type]


def start(page: Page, task: str, typed: str = "") -> None:
    page.locator("[data-folder-task]").select_option(task)
    if typed:
        page.locator("#folder .folder-words input").fill(typed)
    page.locator("#folder .folder-controls button.main").click()


def row(page: Page, name: str) -> Any:
    return page.locator(".folder-rows .folder-row").filter(has=page.get_by_text(name, exact=True))


def saved(page: Page, form: str) -> Path:
    with page.expect_download() as download:
        page.locator(f"[data-save={form}]").click()
    return download.value.path()


def test_a_folder_is_asked_saved_and_opened_on_the_workbench(open_tab: OpenTab) -> None:
    page = open_tab("/").page
    open_folder(page, FILES)
    rows = page.locator(".folder-rows .folder-row")
    expect(rows).to_have_count(3)  # the text was left out
    assert page.locator(".folder-name button").all_text_contents() == ["2.png", "10.png", "broken.jpg"]
    start(page, "detect", "circle, star")
    expect(page.locator("[data-state=done]")).to_have_count(2)
    expect(row(page, "broken.jpg")).to_have_attribute("data-state", "failed")
    expect(row(page, "broken.jpg").locator(".folder-error")).to_contain_text("cannot be decoded")
    expect(row(page, "2.png").locator(".folder-answer")).to_contain_text(re.compile(r"circle ×\d"))
    expect(page.locator("[data-summary]")).to_have_text("3 of 3 finished · 1 failed")
    assert page.locator("#folder .folder-controls button.main").count() == 0  # a broken file stays broken

    table = list(csv.DictReader(saved(page, "csv").read_text("utf-8-sig").splitlines()))
    coco = json.loads(saved(page, "coco").read_bytes())
    assert {line["image"] for line in table} == {"2.png", "10.png", "broken.jpg"}
    # sent side by side, they stand in the order in which they arrived
    assert sorted(image["file_name"] for image in coco["images"]) == ["10.png", "2.png"]
    assert len(coco["annotations"]) == sum(bool(line["label"]) for line in table) > 0
    for form, file in (("yolo", "labels/2.txt"), ("labelme", "2.json")):
        with zipfile.ZipFile(saved(page, form)) as archive:
            assert file in archive.namelist()
    assert len(saved(page, "jsonl").read_bytes().splitlines()) == 3
    with zipfile.ZipFile(saved(page, "zip")) as archive:
        assert {"results.csv", "results.jsonl", "coco-1-detect.json"} == set(archive.namelist())

    row(page, "2.png").locator("button").click()
    expect(page.locator("#work")).to_be_visible()
    expect(page.locator("#answers .item").first).to_contain_text("circle")
    assert page.evaluate("(async () => (await import('/static/store.js')).picture.value.name)()") == "2.png"


def test_a_batch_stops_resumes_and_is_found_again_after_the_page_was_closed(open_tab: OpenTab) -> None:
    tab = open_tab("/", locale="zh-CN", color_scheme="dark", viewport={"width": 390, "height": 844})
    page = tab.page
    open_folder(page, [scene(f"{n}.png", n) for n in range(8)])
    start(page, "ask")
    expect(page.locator("#folder-needed")).to_be_visible()  # a question needs words
    start(page, "describe")
    expect(page.locator("[data-state=done]").first).to_be_attached()
    page.locator("[data-stop]").click()
    resume = page.locator("#folder .folder-controls button.main")
    expect(resume).to_have_text("继续")
    n_done = page.locator("[data-state=done]").count()
    assert 0 < n_done < 8
    resume.click()
    expect(page.locator("[data-state=done]").nth(n_done)).to_be_attached()
    page.locator("nav .tab").first.click()  # it continues, whatever is shown
    page.reload()
    open_again = page.locator(".folder-others li").last.locator("button").first
    page.evaluate("(async () => { (await import('/static/store.js')).screen.value = 'folder'; })()")
    open_again.click()
    expect(page.locator("[data-summary]")).to_be_visible()
    expect(page.locator("[data-stop]")).to_have_count(0)
    n_sent = page.locator(".folder-rows .folder-row").count()
    assert n_done < n_sent <= 8
    expect(page.locator("[data-state=done]")).to_have_count(n_sent)
    expect(page.locator("[data-save=coco]")).to_be_disabled()  # texts have no places
    assert page.locator(".folder-name button").count() == 0  # the files are gone with the page
    assert page.evaluate("document.documentElement.scrollWidth") == 390
