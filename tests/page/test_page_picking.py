"""Masks by pointing: what is asked, and what Shift, Alt, Z, Enter and Escape make of the answers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page, Route, expect
from pycocotools import mask as coco

from scripts._workbench import Workbench
from tests.page.conftest import OpenTab

Bools = npt.NDArray[np.bool_]


def answering(page: Page, size: Sequence[int], masks: Sequence[Bools | None]) -> list[dict[str, Any]]:
    """Answer questions for masks with these, in order, the server where it is None; return what was asked."""
    asked: list[dict[str, Any]] = []

    def answer(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or ""))
        bits = masks[len(asked) - 1]
        if bits is None:
            route.continue_()
            return
        told = coco.encode(np.asfortranarray(bits.astype(np.uint8)))
        result = {
            "index": 0, "id": f"res_{len(asked)}", "type": "Mask", "task": "refer", "image": asked[-1]["image"],
            "raw": "", "size": size, "mask": {"size": told["size"], "counts": told["counts"].decode()},
            "area": int(bits.sum()), "xyxy": None, "score": 0.8, "refined_by": "none", "finish": "stop", "issues": [],
            "usage": {}, "timings": {"total_s": 0.7},
        }  # fmt: skip
        events = [
            ("progress", {"index": 0, "stage": "encode", "done": 1, "total": 4}),
            ("result", result),
            ("done", {}),
        ]
        body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
        route.fulfill(content_type="text/event-stream", body=body)

    page.route("**/v1/tasks/refer", answer)
    return asked


def opened(open_tab: OpenTab) -> tuple[Workbench, Page, list[int]]:
    page = open_tab().page
    bench = Workbench(page)
    bench.open_sample()
    picture = bench.state("picture")
    return bench, page, [picture["width"], picture["height"]]


def rectangle(size: Sequence[int], left: int, top: int, right: int, bottom: int) -> Bools:
    bits = np.zeros((size[1], size[0]), np.bool_)
    bits[top:bottom, left:right] = True
    return bits


def decoded(told: dict[str, Any]) -> Bools:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools' own, with NumPy 2
        bits: Bools = coco.decode({"size": told["size"], "counts": told["counts"].encode()}).astype(np.bool_)
    return bits


def bits_of(layer: dict[str, Any]) -> Bools:
    return decoded(layer["result"]["mask"])


def test_clicks_and_boxes_are_united_taken_away_undone_and_kept(open_tab: OpenTab, tmp_path: Path) -> None:
    bench, page, size = opened(open_tab)
    first, second, third = (
        rectangle(size, *xyxy) for xyxy in ((20, 30, 90, 100), (80, 60, 150, 140), (40, 0, 60, 200))
    )
    asked = answering(page, size, [first, second, third, third])
    note = page.locator(".pick-note")

    bench.click(50.5, 60.5)
    expect(note).to_contain_text(f"{first.sum():,} pixels, left 20, top 30, right 90, bottom 100 · 0.7 s")
    expect(page.locator(".pick-place [aria-live]")).to_contain_text("4,900 pixels")
    bench.drag((70, 50), (155, 145), "Shift")
    expect(note).to_contain_text(f"{(first | second).sum():,} pixels")
    bench.click(50.5, 180.5, "Alt")
    expect(note).to_contain_text(f"{(first | second)[~third].sum():,} pixels")
    page.keyboard.press("z")
    expect(note).to_contain_text(f"{(first | second).sum():,} pixels")
    bench.click(50.5, 180.5, "Alt")
    expect(note).to_contain_text(f"{(first | second)[~third].sum():,} pixels")
    page.keyboard.press("Enter")

    expect(note).to_have_count(0)
    (layer,) = bench.state("layers")
    assert (bits_of(layer) == ((first | second) & ~third)).all()
    assert (layer["card"], layer["result"]["id"]) == (None, "")
    assert page.locator("#layers .layer-name").inner_text() == "Mask 1"
    image = bench.state("picture")["id"]
    kept = {"image": image, "output": {"masks": "rle"}, "stream": True}
    assert [{name: value for name, value in one.items() if name in kept} for one in asked] == [kept] * 4
    points = [one.get("point") or one.get("box") for one in asked]
    assert np.allclose(points[0], [50.5, 60.5], atol=0.5)
    assert np.allclose(points[1], [70, 50, 155, 145], atol=0.5)

    for name, read in (("PNG", read_png), ("COCO", read_coco)):
        with page.expect_download() as saved:
            page.locator("#layers").get_by_role("button", name=name, exact=True).click()
        path = tmp_path / saved.value.suggested_filename
        saved.value.save_as(path)
        assert "Mask-1" in path.name
        assert (read(path) == bits_of(layer)).all()


def read_png(path: Path) -> Bools:
    levels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert levels is not None
    assert set(np.unique(levels).tolist()) == {0, 255}
    return np.asarray(levels == 255)


def read_coco(path: Path) -> Bools:
    (annotation,) = json.loads(path.read_text())["annotations"]
    bits = decoded(annotation["segmentation"])
    assert annotation["area"] == bits.sum()
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    assert annotation["bbox"] == [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
    return bits


def test_a_mask_of_one_click_keeps_the_servers_result_and_the_keyboard_suffices(open_tab: OpenTab) -> None:
    bench, page, size = opened(open_tab)
    nothing = np.zeros((size[1], size[0]), np.bool_)
    first, second = rectangle(size, 20, 30, 90, 100), rectangle(size, 90, 30, 100, 100)
    asked = answering(page, size, [first, second, first, nothing])
    page.locator("#viewer .surface").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    note = page.locator(".pick-note")
    expect(note).to_contain_text("4,900 pixels")
    page.keyboard.press("Shift+Enter")
    expect(note).to_contain_text("5,600 pixels")
    page.keyboard.press("Alt+Enter")
    expect(note).to_contain_text("700 pixels, left 90")
    for shown in ("5,600 pixels", "4,900 pixels"):
        page.keyboard.press("z")
        expect(note).to_contain_text(shown)
    page.keyboard.press("Enter")
    assert [layer["result"]["id"] for layer in bench.state("layers")] == ["res_1"]
    assert asked[0]["point"] == [size[0] // 2 + 0.5, size[1] // 2 - 0.5]

    page.keyboard.press("Enter")
    expect(page.locator(".pick-note.error")).to_contain_text("Nothing was found there")
    page.keyboard.press("Escape")
    expect(page.locator(".pick-note")).to_have_count(0)
    assert len(bench.state("layers")) == 1


def test_a_picture_that_the_server_has_forgotten_is_sent_again_and_errors_are_told(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("404 POST .*/v1/tasks/refer")
    bench, page = Workbench(tab.page), tab.page
    bench.open_sample()
    page.request.delete(f"{tab.origin}/v1/images/{bench.state('picture')['id']}")
    size = [bench.state("picture")[side] for side in ("width", "height")]
    asked = answering(page, size, [None, rectangle(size, 20, 30, 90, 100), None])
    bench.drag((20, 20), (120, 120))
    expect(page.locator(".pick-note")).to_contain_text("4,900 pixels")
    assert len(asked) == 2
    assert page.request.get(f"{tab.origin}/v1/images/{asked[1]['image']}").ok
    page.keyboard.press("Escape")

    page.evaluate(
        "async (at) => { (await import('/static/store.js')).gestures.point(at, {}); }", {"x": 10 * size[0], "y": 5}
    )
    expect(page.locator(".pick-note.error")).to_contain_text("point")
    expect(page.locator(".pick-note.error .number")).to_contain_text("req_")
