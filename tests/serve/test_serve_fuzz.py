"""Requests made from our own description of the API, in the short form of the soak."""

from __future__ import annotations

from scripts.soak.serve_fuzz import Fuzzer
from tests.serve.conftest import serving
from tests.serve.squares import load
from youtu_gguf.serve.settings import ServeSettings


def test_no_request_that_the_api_describes_or_that_is_near_it_fails_the_server() -> None:
    settings = ServeSettings(classes={"default": ("square",)}, label_studio_url="http://127.0.0.1:9")
    with serving(load, settings) as url:
        fuzzer = Fuzzer(url, 7)
        n_routes = len(list(fuzzer.run(5)))
    assert fuzzer.faults == []
    assert n_routes > 40
    statuses = {status for counts in fuzzer.outcomes.values() for status in counts}
    assert {200, 400, 404} <= statuses
