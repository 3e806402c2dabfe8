"""A short form of scripts/soak/serve.py: a real process, and clients of every protocol."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "scripts" / "soak" / "serve.py"


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught there")
def test_clients_of_every_protocol_get_the_right_answers_and_leave_nothing_behind() -> None:
    spec = importlib.util.spec_from_file_location("soak_serve", SOAK)
    assert spec
    assert spec.loader
    soak = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = soak
    spec.loader.exec_module(soak)

    found = soak.run("nano", n_clients=6, n_images=1, seconds=60.0, most_visits=8)

    assert found.faults == []
    assert found.n_answers > 10
