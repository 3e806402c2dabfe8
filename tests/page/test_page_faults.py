"""Servers that are killed, full or without a library, and a browser without storage: what the page says, and keeps."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import FilePayload, expect

from scripts._serving import Server, free_port, running
from scripts._workbench import Workbench
from tests.page.conftest import OpenTab

PROGRAM = Path(__file__).parent / "slow_server.py"
HEIC: FilePayload = {
    "name": "phone.heic",
    "mimeType": "image/heic",
    "buffer": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
}
WITHOUT_STORAGE = """
for (const name of ["indexedDB", "localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("Access is denied.", "SecurityError"); } });
}
"""
"""What a page finds where cookies and site data are blocked."""


@contextmanager
def slow_server(wheel: Path, port: int, **settings: int) -> Iterator[Server]:
    """Run the slow server out of the unpacked wheel."""
    program = shutil.copy(PROGRAM, wheel)  # its own folder is where it looks for the package first
    words = [f"{name}={number}" for name, number in settings.items()]
    with running((program, str(port), *words), port, wheel) as server:
        yield server


def test_a_server_killed_in_mid_stream_loses_nothing_that_was_written(open_tab: OpenTab, wheel: Path) -> None:
    port = free_port()
    with slow_server(wheel, port) as server:
        tab = open_tab(origin=f"http://127.0.0.1:{port}")
        bench = Workbench(tab.page)
        bench.open_sample()
        bench.ask("describe")
        bench.until("store.cards.value[0].text.includes('word3')")
        tab.expect("ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_CONNECTION_REFUSED")
        server.process.kill()
        bench.wait_answers()
    assert bench.stages() == ["failed"]
    expect(bench.card()).to_contain_text("word1 word2 word3")
    expect(bench.card()).to_contain_text("The connection to the server was lost. What was written is kept.")
    with slow_server(wheel, port):
        tab.expect("^404 POST .*/v1/tasks")  # the new server has never seen the picture: it is sent again
        bench.page.evaluate("import('/static/store.js').then((m) => { window.before = m.cards.value[0].text })")
        bench.card().get_by_role("button", name="Ask again").click()
        bench.until("store.cards.value[0].text !== window.before && store.cards.value[0].text.includes('word2')")
        bench.card().get_by_role("button", name=re.compile("^Stop")).click()
        bench.wait_answers()
        expect(bench.card()).to_contain_text("word1 word2")
    assert bench.stages() == ["stopped"]


def test_a_full_queue_is_waited_for_and_a_missing_library_is_named(open_tab: OpenTab, wheel: Path) -> None:
    port = free_port()
    with slow_server(wheel, port, n_answers=1, max_waiting=1):
        tab = open_tab(origin=f"http://127.0.0.1:{port}")
        page, bench = tab.page, Workbench(tab.page)
        bench.open_sample()
        bench.until("store.picture.value.state === 'ready'")
        for question in ("a long story", "another long story", "a short one"):
            bench.ask("ask", question)
        tab.expect("^429 POST .*/v1/tasks")
        expect(bench.card(0)).to_contain_text(re.compile(r"asking again in \d+ s"))
        for _ in range(2):
            page.locator("#answers article:not([data-stage=stopped])").last.get_by_role(
                "button", name=re.compile("^Stop")
            ).click()
        bench.wait_answers()
        assert bench.stages() == ["done", "stopped", "stopped"]
        expect(bench.card(0)).to_contain_text("a short answer")

        tab.expect("^415 POST .*/v1/images")
        bench.show("start")
        page.set_input_files("#start input[type=file]", HEIC)
        expect(page.locator(".notice").last).to_contain_text('pip install "youtu_gguf[heic]"')


def test_a_browser_without_storage_shows_everything_but_the_history(open_tab: OpenTab) -> None:
    bench = Workbench(open_tab(script=WITHOUT_STORAGE).page)
    bench.open_sample()
    bench.ask("describe")
    bench.wait_answers()
    assert bench.stages() == ["done"]
    bench.page.get_by_role("button", name="中文").click()
    bench.page.get_by_role("button", name="English").click()
    bench.show("history")
    expect(bench.page.locator("#history")).to_contain_text("This browser keeps nothing here")
