"""The export panel: every file of an answer, the programs, and answers that the server has forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Route

from scripts._workbench import Workbench
from tests.page.conftest import OpenTab
from youtu_gguf.output.rle import coco_rle


def forms(panel: Locator) -> list[str]:
    found: list[str] = panel.locator(".export-files button:enabled").evaluate_all(
        "all => all.map((b) => b.dataset.form)"
    )
    return found


def saved(panel: Locator, form: str) -> tuple[str, Path]:
    """Return the name under which a form is saved, and where it is."""
    with panel.page.expect_download() as waiting:
        panel.locator(f"[data-form={form}]").click()
    return waiting.value.suggested_filename, waiting.value.path()


def test_an_answer_is_saved_in_every_form_and_told_as_programs(open_tab: OpenTab) -> None:
    bench = Workbench(open_tab().page)
    bench.open_sample()
    bench.ask("detect")
    bench.ask("depth")
    bench.wait_answers()
    bench.page.locator("#ask .ask-words").blur()
    bench.page.keyboard.press("e")
    panel = bench.page.locator("dialog.export")
    newest, detected, everything = panel.locator(".export-source option").all()

    assert forms(panel) == ["ply", "overlay", "png", "ros", "kitti", "tum", "pfm", "exr", "npz", "raw", "json"]
    panel.locator(".export-step select").select_option("4")
    name, path = saved(panel, "ply")
    size = bench.state("picture")
    assert name.endswith(".depth.ply")
    n = -(-size["width"] // 4) * -(-size["height"] // 4)
    assert f"element vertex {n}\n".encode() in path.read_bytes()

    panel.locator("select").first.select_option(detected.get_attribute("value"))
    assert forms(panel) == ["coco", "labelme", "yolo", "label_studio", "cvat", "csv", "overlay", "npz", "json"]
    files = {form: saved(panel, form) for form in forms(panel)}
    stem = Path(size["name"]).stem
    assert files["coco"][0] == f"{stem}.detect.coco.json"
    coco = json.loads(files["coco"][1].read_text(encoding="utf-8"))
    boxes = bench.state("cards")[1]["result"]["boxes"]
    assert [image["file_name"] for image in coco["images"]] == [size["name"]]
    assert [annotation["bbox"][:2] for annotation in coco["annotations"]] == [box["xyxy"][:2] for box in boxes]
    with ZipFile(files["yolo"][1]) as archive:
        assert archive.namelist() == ["data.yaml", f"labels/{stem}.txt"]

    panel.locator("[data-program=curl]").click()
    assert panel.locator("pre").inner_text().startswith("curl ")
    panel.locator("[data-program=json]").click()
    assert json.loads(panel.locator("pre").inner_text())["boxes"] == boxes
    panel.locator("select").first.select_option(everything.get_attribute("value"))
    assert "×2" in panel.locator("[data-form=json]").inner_text()
    assert newest.inner_text()
    bench.page.keyboard.press("Escape")
    assert not panel.is_visible()


def test_a_forgotten_answer_says_so_and_is_asked_again(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("^404 GET .*/v1/results/")
    bench = Workbench(tab.page)
    bench.open_sample()
    bench.ask("count", "star")
    bench.wait_answers()
    before = bench.state("cards")[0]["result"]["id"]
    body: dict[str, Any] = {"error": {"code": "result_not_found", "message": "there is no result"}}

    def forget(route: Route) -> None:
        route.fulfill(status=404, json=body)

    bench.page.route("**/v1/results/*", forget)
    bench.card().get_by_role("button", name="Export").click()
    panel = bench.page.locator("dialog.export")
    assert forms(panel) == ["csv", "txt", "json"]
    panel.locator("[data-form=csv]").click()
    news = panel.locator(".export-news")
    news.get_by_role("button", name="Ask again").click()
    bench.wait_answers()
    assert not panel.is_visible()
    assert bench.state("cards")[0]["result"]["id"] != before


def test_a_forgotten_picture_is_sent_again_for_the_files_that_need_it(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("^404 GET .*/v1/results/")
    bench = Workbench(tab.page)
    bench.open_sample()
    bench.ask("detect")
    bench.wait_answers()
    bench.page.evaluate("(id) => fetch(`/v1/images/${id}`, { method: 'DELETE' })", bench.state("picture")["id"])
    bench.card().get_by_role("button", name="Export").click()
    panel = bench.page.locator("dialog.export")
    panel.locator("[data-form=overlay]").click()
    with bench.page.expect_download() as waiting:
        panel.locator(".export-news").get_by_role("button", name="Send the picture again").click()
    assert waiting.value.suggested_filename.endswith(".detect.drawing.png")
    assert "Saved" in panel.locator(".export-news").inner_text()


def test_a_mask_made_in_the_page_is_saved_without_the_server(open_tab: OpenTab) -> None:
    bench = Workbench(open_tab().page)
    bench.open_sample()
    size = bench.state("picture")
    bits = np.zeros((size["height"], size["width"]), np.bool_)
    bits[20:90, 30:100] = True
    bits[40:50, 50:60] = False
    rle = coco_rle(bits)
    bench.page.evaluate(
        """async (result) => {
          const store = await import("/static/store.js");
          const looks = { kind: "mask", visible: true, opacity: 1, colour: "#fff" };
          store.layers.value = [{ key: "m", card: null, name: "my mug", ...looks, result }];
        }""",
        {"id": "", "type": "Mask", "task": "refer", "size": [*bits.shape[::-1]], "mask": rle, "area": int(bits.sum())},
    )
    bench.page.locator("#ask .ask-words").blur()
    bench.page.keyboard.press("e")
    panel = bench.page.locator("dialog.export")
    assert forms(panel) == ["coco", "png"]
    name, path = saved(panel, "coco")
    coco = json.loads(path.read_text(encoding="utf-8"))
    assert (coco["categories"][0]["name"], coco["annotations"][0]["segmentation"]) == ("my mug", rle)
    assert name.endswith(".my mug.coco.json")
    with Image.open(saved(panel, "png")[1]) as picture:
        assert np.array_equal(np.asarray(picture.convert("L")), bits * np.uint8(255))
