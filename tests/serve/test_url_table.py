"""Images from URLs: what is not of the public Internet is never connected to, and what is, at the address checked."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serve.squares import squares_client
from tests.serve.watched_sockets import code_of, connections, names
from youtu_gguf.serve.addresses import is_public
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fetch import Fetcher, Target
from youtu_gguf.serve.settings import ServeSettings

PUBLIC = "93.184.215.14"


@pytest.fixture
def connected() -> Iterator[list[tuple[Any, ...]]]:
    with connections() as found:
        yield found


LITERALS = [
    "https://127.0.0.1/a.png", "https://127.1/a.png", "https://127.255.255.254/", "https://0.0.0.0/", "https://0/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://127.0.0.1./", "https://00127.0.0.1/", "https://127.0.1/", "https://192.168.0.1/", "https://10.0.0.1/",
    "https://172.16.0.1/", "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/", "https://192.0.0.8/",
    "https://192.88.99.1/", "https://198.18.0.1/", "https://192.0.2.1/", "https://203.0.113.5/", "https://224.0.0.1/",
    "https://240.0.0.1/", "https://255.255.255.255/",
    "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
    "https://[::ffff:93.184.215.14]/", "https://[::127.0.0.1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/", "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[fec0::1]/",
    "https://[ff02::1]/", "https://[2002:7f00:1::]/", "https://[2002:5db8:d70e::]/", "https://[2001::1]/",
    "https://[2001:db8::1]/", "https://[64:ff9b::127.0.0.1]/", "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/", "https://[100::1]/", "https://[3fff::1]/", "https://[::1", "https://[1:2]/",
]  # fmt: skip

FORMS = [
    "http://good.example.org/", "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://good.example.org/",
    "gopher://good.example.org/", "https:/good.example.org/", "https:good.example.org", "https://", "https:///a",
    "https://good.example.org:22/", "https://good.example.org:8443/", "https://good.example.org:99999/",
    "https://good.example.org:/", "https://user@good.example.org/", "https://user:word@good.example.org/",
    "https://good.example.org@127.0.0.1/", "https://127.0.0.1@good.example.org/",
    "https://good.example.org\\@127.0.0.1/", "https://good.example.org\\.evil/", "https://good.example.org/\r\nHost: a",
    "https://good.example.org /", "https://good.example.org/ a", "https://good.example.org\t/", " https://a.example.org",
    "https://g\xf6\xf6d.example.org/", "https://\u2460\u2461\u2466.0.0.1/", "https://good。example。org/",
    "https://localhost/", "https://printer/", "https://LOCALHOST/", "https://%6c%6f%63alhost/", "https://a..b/",
    "https://good.example.org/%0d%0a/" + "a" * 9000, "https://*.example.org/", "https://[good.example.org]/",
]  # fmt: skip


@pytest.mark.parametrize("url", LITERALS + FORMS)
def test_a_url_that_is_not_of_the_public_internet_makes_no_connection(
    url: str, connected: list[tuple[Any, ...]]
) -> None:
    fetcher = Fetcher(resolve=names(good=[PUBLIC]))
    assert code_of(fetcher, url) == "url_not_allowed"
    assert connected == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["::1"], ["192.168.1.1"], ["169.254.169.254"], ["fe80::1%lo"], ["::ffff:10.0.0.1"],
        [PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "::1"], [], ["nonsense"],
    ],
)  # fmt: skip
def test_a_name_one_of_whose_addresses_is_not_public_makes_no_connection(
    addresses: list[str], connected: list[tuple[Any, ...]]
) -> None:
    fetcher = Fetcher(resolve=names(inner=addresses))
    assert code_of(fetcher, "https://inner.example.org/a.png") == "url_not_allowed"
    assert connected == []


def test_an_unknown_name_and_one_of_this_network_cannot_be_told_apart() -> None:
    fetcher = Fetcher(resolve=names(inner=["10.0.0.1"]))
    messages = set()
    for name in ("inner", "unknown"):
        with pytest.raises(ApiError) as caught:
            asyncio.run(fetcher.fetch(f"https://{name}.example.org/"))
        messages.add(caught.value.message)
    assert len(messages) == 1


def test_an_address_of_this_machine_is_not_fetched_from_even_if_it_is_public(
    monkeypatch: pytest.MonkeyPatch, connected: list[tuple[Any, ...]]
) -> None:
    import psutil

    own = type("Address", (), {"address": PUBLIC})
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [own]})
    assert code_of(Fetcher(), f"https://{PUBLIC}/") == "url_not_allowed"
    assert connected == []


def test_a_public_name_is_resolved_once_and_connected_to_where_it_was_checked(
    connected: list[tuple[Any, ...]],
) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])  # rebinding: the second answer would be another
    fetcher = Fetcher(resolve=lambda host, port: next(answers))
    assert code_of(fetcher, "https://good.example.org/a.png") == "invalid_image"
    assert connected == [(PUBLIC, 443)]


def test_plain_http_is_fetched_where_the_settings_say_so(connected: list[tuple[Any, ...]]) -> None:
    fetcher = Fetcher(resolve=names(good=[PUBLIC]), plain_http=True)
    assert code_of(fetcher, "http://good.example.org/a.png") == "invalid_image"
    assert connected == [(PUBLIC, 80)]
    assert code_of(fetcher, "http://127.0.0.1/a.png") == "url_not_allowed"
    assert code_of(fetcher, "http://good.example.org:8080/a.png") == "url_not_allowed"
    assert connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("settings", [ServeSettings(), ServeSettings(fetch_urls=True)])
def test_a_client_of_a_server_reaches_nothing_of_this_machine_by_an_image(
    settings: ServeSettings, connected: list[tuple[Any, ...]]
) -> None:
    urls = (
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "http://127.0.0.1/",
        "https://[::1]/",
        "https://127.1/",
        "gs://a",
    )
    with squares_client(settings) as client:
        for url in urls:
            answer = client.post("/v1/tasks/describe", json={"image": url})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "url_not_allowed")
    assert connected == []


def test_addresses_of_the_internet_are_public() -> None:
    for text in (PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::5db8:d70e"):
        assert is_public(ipaddress.ip_address(text)), text


def test_a_url_keeps_its_path_and_query_and_loses_its_fragment() -> None:
    target = Target.of("HTTPS://Good.Example.org./a/b.png?c=d&e=%20#f")
    assert (target.scheme, target.host, target.port) == ("https", "good.example.org", 443)
    assert (target.path, target.netloc) == ("/a/b.png?c=d&e=%20", "good.example.org")
    assert Target.of("https://[2606:4700::1]?q").path == "/?q"
    assert Target.of("https://[2606:4700::1]:8443/").netloc == "[2606:4700::1]:8443"
