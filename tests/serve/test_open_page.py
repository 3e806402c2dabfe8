"""`serve --open`: the browser that is started, and the address that it is given."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from urllib.parse import unquote

from tests.serve.processes import LONGEST_S, NANO, served


def test_the_browser_is_given_an_address_that_it_reaches_with_what_stands_for_the_key_once(tmp_path: Path) -> None:
    key, told = tmp_path / "key.txt", tmp_path / "told"
    key.write_text("sesame&1\n", encoding="utf-8")
    browser = tmp_path / "browser"
    browser.write_text(f'#!{sys.executable}\nimport sys\nopen({str(told)!r}, "w").write(sys.argv[1] + "\\n")\n')
    browser.chmod(0o700)
    options = ("--open", "--host", "0.0.0.0", "--api-key-file", str(key))
    with served(*NANO, *options, BROWSER=f"{browser} %s") as server:
        deadline = time.monotonic() + LONGEST_S
        while not told.exists() or not told.read_text().endswith("\n"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        address, _, given = told.read_text().strip().partition("/#key=")
        assert address == f"http://127.0.0.1:{server.host.rpartition(':')[2]}"
        assert "sesame" not in given
        began = []
        for _ in range(2):
            with server.post("/session", {"key": unquote(given)}) as answer:
                began.append(answer.status)
    assert began == [204, 401]
