"""The server that tests of clients start: it listens, and is gone afterwards."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

import youtu_gguf as yg
from tests.serve.conftest import serving
from youtu_gguf.testing import FakeEngine


def test_a_server_listens_while_it_is_used_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    with serving(lambda: yg.load(engine=FakeEngine())) as url, urlopen(f"{url}/readyz") as answer:
        assert answer.status == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=5)
    assert set(threading.enumerate()) <= before
