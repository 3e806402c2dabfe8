"""A Ray that is no longer there is an error, and soon."""

from __future__ import annotations

import socket

import pytest

from youtu_gguf.cluster.connect import check_answers, connected
from youtu_gguf.errors import InputError


def test_an_address_at_which_nothing_answers_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("ray.is_initialized", lambda: False)  # tests of this folder share a connection
        with pytest.raises(InputError, match="expected a Ray at"), connected("auto"):
            pass


def test_an_address_that_answers_is_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("", 0)) as listening:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{listening.getsockname()[1]}")
        check_answers()
