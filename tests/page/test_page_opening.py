"""Ways of getting a picture onto the page, and what the page says where that fails."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from scripts._serving import free_port, serving
from tests.page.conftest import OpenTab

expect.set_options(timeout=20_000)  # on a busy machine

FILE = "#start input[type=file]"
KEY = "open sesame!".replace(" ", "+")

LOSE_CAMERA = """() => {
  for (const track of document.querySelector("dialog.camera video").srcObject.getTracks()) {
    track.stop();
    track.dispatchEvent(new Event("ended"));
  }
}"""
"""What a browser does where the camera is unplugged, or its user takes the permission back."""

CARRY = """([kind, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  if (kind === "paste") {
    document.body.dispatchEvent(new ClipboardEvent(kind, { clipboardData: carried, bubbles: true, cancelable: true }));
  } else document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


def picture(width: int = 96, height: int = 64, seed: int = 0, form: str = "PNG") -> bytes:
    """Return noise as an image file."""
    rgb = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, form)
    return buffer.getvalue()


def huge() -> bytes:
    """Return a small image file whose header says 100 megapixels."""
    data = picture()
    header = b"IHDR" + struct.pack(">II", 10_000, 10_000) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def named(name: str, data: bytes, kind: str = "image/png") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}


def state(page: Page) -> Any:
    """Return the picture on the workbench."""
    return page.evaluate(
        """async () => {
          const { picture } = await import("/static/store.js");
          const { name, width, height, state, readS, focalPx, id } = picture.value ?? {};
          return { name, width, height, state, readS, focalPx, id };
        }"""
    )


def opened(page: Page, name: str) -> Any:
    """Wait until a picture is on the workbench and has been read; return it."""
    expect(page.locator("#title")).to_have_text(name)
    expect(page.locator("#reading .reading-bar")).to_have_count(0)
    expect(page.locator("#reading [role=status]")).to_have_text("The picture has been read.")
    return state(page)


def test_a_picture_is_opened_in_every_way(open_tab: OpenTab) -> None:
    page = open_tab(permissions=["camera"]).page
    page.click("[data-open=sample]")
    sample = opened(page, "sample.webp")
    assert (sample["width"], sample["height"], round(sample["focalPx"])) == (320, 256, 379)
    assert sample["readS"] is not None  # 0 where a test before this one had it read
    for kind, name in (("drop", "dropped.png"), ("paste", "copied.png")):  # on the workbench, which has no drop zone
        data = base64.b64encode(picture(seed=len(name))).decode()
        if kind == "drop":
            page.evaluate(CARRY, ["dragover", name, "image/png", data])
            expect(page.locator("#veil")).to_contain_text("Drop to open")
        page.evaluate(CARRY, [kind, name, "image/png", data])
        assert opened(page, name)["width"] == 96
        expect(page.locator("#veil")).to_have_text("")
    page.locator("nav button").first.click()
    page.set_input_files(FILE, named("chosen.jpg", picture(70, 50, 5, "JPEG"), "image/jpeg"))
    assert opened(page, "chosen.jpg")["width"] == 70
    page.locator("nav button").first.click()
    page.set_input_files(FILE, named("unseen.tif", picture(80, 60, 6, "TIFF"), "image/tiff"))  # browsers know no TIFF
    assert opened(page, "unseen.tif")["height"] == 60
    page.locator("nav button").first.click()
    page.click("[data-open=camera]")
    page.locator("dialog.camera button.main:enabled").wait_for()
    page.evaluate(LOSE_CAMERA)
    expect(page.locator("dialog.camera")).to_contain_text("its permission was taken back. Connect or allow it")
    page.locator("dialog.camera button.main").click()  # try again
    page.click("dialog.camera:has(video) button.main:enabled")
    expect(page.locator("#title")).to_contain_text("camera")
    page.locator("nav button").first.click()
    page.set_input_files(FILE, [named(f"{n}.png", picture(seed=n)) for n in range(2)])
    expect(page.locator("#folder")).to_be_visible()


LATE = {"stage": "prefill", "done": 1, "total": 9, "elapsed_s": 5, "left_s": 85}
"""What is told of a reading that takes long."""


def test_a_long_reading_offers_a_copy_that_keeps_the_focal_length(open_tab: OpenTab) -> None:
    page = open_tab().page
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    buffer = BytesIO()
    Image.new("RGB", (1400, 1000), (90, 120, 60)).save(buffer, "JPEG", exif=exif)
    page.set_input_files(FILE, named("large.jpg", buffer.getvalue(), "image/jpeg"))
    expect(page.locator("#title")).to_have_text("large.jpg")
    focal = until(page, lambda shown: shown["focalPx"])["focalPx"]
    told_and_taken = """async (reading) => {
      (await import("/static/store.js")).changePicture({ reading });
      document.querySelector("#reading .row button").click();
    }"""
    page.evaluate(told_and_taken, LATE)
    copy = until(page, lambda shown: shown["width"] < 1400 and shown["state"] == "ready")
    assert 450_000 < copy["width"] * copy["height"] <= 500_000
    assert copy["focalPx"] == pytest.approx(focal * copy["width"] / 1400, rel=1e-3)


def until(page: Page, holds: Callable[[Any], object]) -> Any:
    """Wait until something holds for the picture on the workbench; return it."""
    for _ in range(400):
        if holds(shown := state(page)):
            return shown
        page.wait_for_timeout(50)
    raise AssertionError(state(page))


def test_what_cannot_be_opened_leaves_the_picture_and_says_what_to_do(open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.expect("^400 POST .*/v1/images")
    page = tab.page
    page.set_input_files(FILE, named("good.png", picture()))
    before = opened(page, "good.png")
    for name, data, kind, said in (
        ("broken.png", picture()[:300], "image/png", "broken.png cannot be opened. The server says: "),
        ("notes.txt", b"words", "text/plain", "notes.txt is no picture."),
        ("huge.png", huge(), "image/png", "huge.png has 100 million pixels; the server takes 50 million."),
    ):
        page.locator("nav button").first.click()
        page.set_input_files(FILE, named(name, data, kind))
        expect(page.locator(".notice").last).to_contain_text(said)
    page.click("[data-open=camera]")  # without leave to use it
    expect(page.locator("dialog.camera")).to_contain_text("does not let this page use the camera")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.camera")).to_have_count(0)
    assert state(page) == before


@pytest.fixture(scope="module")
def small(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a server with a key that takes small pictures."""
    file = tmp_path_factory.mktemp("key") / "key.txt"
    file.write_text(KEY, encoding="utf-8")
    flags = ("--threads", "1", "--api-key-file", str(file), "--max-pixels", "5000", "--max-body", "12K")
    with serving("nano", *flags, folder=wheel) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_picture_that_is_too_large_is_opened_as_a_smaller_copy(open_tab: OpenTab, small: str) -> None:
    page = open_tab("/#key=" + KEY.replace("+", "%2B"), origin=small).page
    expect(page.locator(".start-notes")).to_contain_text("youtu-gguf pull")
    assert page.url == f"{small}/"
    for name, size, said in (
        ("wide.png", (200, 50), "wide.png has 0.0 million pixels"),
        ("long.png", (70, 70), "long.png is a file of 0.0 MB"),
    ):
        page.locator("nav button").first.click()
        page.set_input_files(FILE, named(name, picture(*size)))
        notice = page.locator(".notice").last
        expect(notice).to_contain_text(said)
        notice.get_by_text("Shrink to fit and open").click()
        form = opened(page, name.replace(".png", ".jpg"))
        assert form["width"] * form["height"] <= 5000
        assert form["width"] / form["height"] == pytest.approx(size[0] / size[1], rel=0.05)


def test_the_page_asks_for_the_key_and_keeps_no_more_than_a_cookie(open_tab: OpenTab, small: str) -> None:
    tab = open_tab(origin=small)
    tab.expect("^401 GET .*/v1/info", "^401 POST .*/session")
    page = tab.page
    page.fill("dialog.key [name=key]", "another")
    page.keyboard.press("Enter")
    expect(page.locator("#key-problem")).to_contain_text("This is not the server's key.")
    page.fill("dialog.key [name=key]", KEY)
    page.keyboard.press("Enter")
    expect(page.locator("dialog.key")).to_have_count(0)
    expect(page.locator(".start-notes")).to_contain_text("youtu-gguf pull")
    page.reload()  # out of the browser's cache, with the cookie
    expect(page.locator(".start-notes")).to_contain_text("youtu-gguf pull")
    kept = page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert KEY not in kept
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], KEY in cookie["value"]) == (True, "Strict", False)
    page.locator("nav button").last.click()
    page.get_by_text("Forget the key in this browser").click()
    expect(page.locator("dialog.key")).to_be_visible()
    assert page.context.cookies() == []


def test_a_picture_waits_for_a_server_that_is_gone_and_is_sent_again_to_one_that_forgot_it(
    open_tab: OpenTab, wheel: Path
) -> None:
    port = free_port()
    with serving("nano", "--threads", "1", folder=wheel, port=port):
        tab = open_tab(origin=f"http://127.0.0.1:{port}")
        page = tab.page
        page.set_input_files(FILE, named("first.png", picture()))
        first = opened(page, "first.png")
        page.locator("nav button").first.click()
    tab.expect("ERR_CONNECTION_REFUSED (POST .*/v1/images|GET .*/v1/info)")
    page.set_input_files(FILE, named("second.png", picture(seed=1)))
    expect(page.locator("#reading .reading-bar")).to_contain_text("The picture is sent as soon as it is back.")
    with serving("nano", "--threads", "1", folder=wheel, port=port):
        opened(page, "second.png")
        again = """async () => (await import("/static/start.js")).ensureImage({ again: true })"""
        assert page.evaluate(again) == state(page)["id"] != first["id"]
