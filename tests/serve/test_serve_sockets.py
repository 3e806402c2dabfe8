"""The addresses that a server listens at."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing

import pytest

import youtu_gguf as yg
from youtu_gguf.serve.run import open_sockets, url_of
from youtu_gguf.serve.settings import ServeSettings


def addresses(settings: ServeSettings) -> list[str]:
    with ExitStack() as opened:
        sockets = [opened.enter_context(closing(found)) for found in open_sockets(settings)]
        ports = {found.getsockname()[1] for found in sockets}
        assert len(ports) == 1
        return [found.getsockname()[0] for found in sockets]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_addresses_of_this_machine_need_no_key(host: str) -> None:
    assert set(addresses(ServeSettings(host=host, port=0))) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_addresses_that_others_reach_need_a_key(host: str) -> None:
    with pytest.raises(yg.InputError, match=r"expected a key, .*--api-key-file.*--insecure"):
        open_sockets(ServeSettings(host=host, port=0))


def test_a_key_or_consent_opens_them(caplog: pytest.LogCaptureFixture) -> None:
    assert addresses(ServeSettings(host="0.0.0.0", port=0, api_key="secret")) == ["0.0.0.0"]
    assert addresses(ServeSettings(port=0, insecure=True)) == ["127.0.0.1"]
    assert caplog.text == ""
    assert addresses(ServeSettings(host="0.0.0.0", port=0, insecure=True)) == ["0.0.0.0"]
    assert "anyone who can reach 0.0.0.0 may use this server" in caplog.text


@pytest.mark.parametrize("host", ["", "a" * 70])  # others would be asked of a name server
def test_names_without_an_address_are_refused(host: str) -> None:
    with pytest.raises(yg.InputError, match="host must be"):
        open_sockets(ServeSettings(host=host, port=0))


def test_an_address_of_another_machine_cannot_be_used() -> None:
    with pytest.raises(yg.InputError, match="cannot be used"):
        open_sockets(ServeSettings(host="192.0.2.1", port=0, api_key="secret"))


def test_urls_have_ipv6_addresses_in_brackets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert url_of("localhost", listener) == f"http://localhost:{port}"
        assert url_of("::1", listener) == f"http://[::1]:{port}"
