"""Images from URLs: what is not of the public Internet is never connected to, and what is, at the address checked."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.serve.squares import squares_client
from youtu_gguf.serve.addresses import is_public
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fetch import Fetcher, Target
from youtu_gguf.serve.settings import ServeSettings

PUBLIC = "93.184.215.14"
PNG = b"\x89PNG and the rest"


class Sockets:
    """Connections that this process tries to make, while it is listened to; those beyond loopback are stopped."""

    def __init__(self) -> None:
        self.connected: list[tuple[Any, ...]] = []
        self.listening = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.listening and event == "socket.connect":
            self.connected.append(arguments[1][:2])
            if not arguments[1][0].startswith("127."):
                raise OSError("stopped by the test")


SOCKETS = Sockets()


@pytest.fixture
def connected() -> Iterator[list[tuple[Any, ...]]]:
    SOCKETS.connected.clear()
    SOCKETS.listening = True
    yield SOCKETS.connected
    SOCKETS.listening = False


def names(**known: list[str]) -> Callable[[str, int], list[str]]:
    """Return a resolver that knows these names of example.org, and no others."""

    def resolve(host: str, port: int) -> list[str]:
        if host.removesuffix(".example.org") not in known:
            raise OSError("unknown")
        return known[host.removesuffix(".example.org")]

    return resolve


def code_of(fetcher: Fetcher, url: str, **options: Any) -> str:
    with pytest.raises(ApiError) as caught:
        asyncio.run(fetcher.fetch(url, **options))
    return caught.value.code


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


class Handler(BaseHTTPRequestHandler):
    """A server of images, some of which do not behave."""

    asked: list[tuple[str, dict[str, str]]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            getattr(self, f"give_{self.path.strip('/').partition('?')[0]}")()

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def give_image(self) -> None:
        self._send(200, PNG)

    def give_redirect(self) -> None:
        self._send(302, b"", Location="/image")

    def give_missing(self) -> None:
        self._send(404, PNG)

    def give_packed(self) -> None:
        self._send(200, PNG, Content_Encoding="gzip")

    def give_cookie(self) -> None:
        self._send(200, PNG, Set_Cookie="a=b; Path=/")

    def give_long(self) -> None:
        self.send_response(200)
        self.end_headers()  # without a length, as long as it is wanted
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(bytes(1 << 16))

    def give_slow(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(40):
                self.wfile.write(b"a")
                time.sleep(0.05)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextlib.contextmanager
def image_server(tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[tuple[str, dict[str, str]]]]]:
    """Give the port of a server and the list of what it is asked."""
    asked: list[tuple[str, dict[str, str]]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"asked": asked}))
    server.daemon_threads = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # a refused certificate
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def http() -> Iterator[tuple[int, list[tuple[str, dict[str, str]]]]]:
    with image_server() as found:
        yield found


Asked = tuple[int, list[tuple[str, dict[str, str]]]]


def test_a_server_that_the_operator_names_is_fetched_from_with_its_token(http: Asked) -> None:
    port, asked = http
    origin = f"http://127.0.0.1:{port}"
    sent = {"Authorization": "Token abc"}
    assert asyncio.run(Fetcher().fetch(f"{origin}/image?a=b", allowed=origin, headers=sent)) == PNG
    path, headers = asked[-1]
    assert (path, headers["host"], headers["authorization"]) == ("/image?a=b", f"127.0.0.1:{port}", "Token abc")
    assert "cookie" not in headers
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{other}/image", "http://localhost:{port}/image", "https://127.0.0.1:{port}/image", "file:///a"],
)
def test_where_a_server_is_named_no_other_is_fetched_from(
    http: Asked, url: str, connected: list[tuple[Any, ...]]
) -> None:
    port, _ = http
    url = url.format(port=port, other=port - 1)
    assert code_of(Fetcher(), url, allowed=f"http://127.0.0.1:{port}", headers={"a": "b"}) == "url_not_allowed"
    assert connected == []


@pytest.mark.parametrize(
    ("path", "message"),
    [("redirect", "redirects are not followed"), ("missing", "answered 404"), ("packed", "compressed")],
)
def test_an_answer_that_is_no_image_is_an_error_and_a_redirect_is_not_followed(
    http: Asked, path: str, message: str
) -> None:
    port, asked = http
    origin = f"http://127.0.0.1:{port}"
    with pytest.raises(ApiError, match=message) as caught:
        asyncio.run(Fetcher().fetch(f"{origin}/{path}", allowed=origin))
    assert caught.value.status == 400
    assert asked[-1][0] == f"/{path}"


def test_a_long_image_is_not_read_to_its_end(http: Asked) -> None:
    origin = f"http://127.0.0.1:{http[0]}"
    assert code_of(Fetcher(), f"{origin}/long", allowed=origin) == "image_too_large"


def test_a_slow_server_is_given_up(http: Asked) -> None:
    origin = f"http://127.0.0.1:{http[0]}"
    began = time.monotonic()
    with pytest.raises(ApiError, match=r"longer than 0\.2 s"):
        asyncio.run(Fetcher(most_s=0.2).fetch(f"{origin}/slow", allowed=origin))
    assert time.monotonic() - began < 2


def test_a_name_that_takes_long_to_resolve_is_given_up() -> None:
    ending = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        ending.wait(10)
        return [PUBLIC]

    with pytest.raises(ApiError, match="longer than"):
        asyncio.run(Fetcher(resolve=resolve, most_s=0.1).fetch("https://slow.example.org/"))
    ending.set()


def test_a_server_that_hangs_up_or_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert code_of(Fetcher(), f"{origin}/", allowed=origin) == "invalid_image"
        thread.join()
    assert code_of(Fetcher(), f"{origin}/", allowed=origin) == "invalid_image"


def test_proxies_and_passwords_of_the_environment_are_not_used(
    http: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port, asked = http
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    origin = f"http://127.0.0.1:{port}"
    assert asyncio.run(Fetcher().fetch(f"{origin}/cookie", allowed=origin)) == PNG
    assert asyncio.run(Fetcher().fetch(f"{origin}/cookie", allowed=origin)) == PNG
    assert not {"authorization", "proxy-authorization", "cookie"} & set(asked[-1][1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the key and the certificate of images.example.org."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names_ = ["-subj", "/CN=images.example.org", "-addext", "subjectAltName=DNS:images.example.org"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run([openssl, *made, *names_, *files], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return both


def test_the_certificate_and_the_names_sent_are_those_of_the_url_and_the_connection_goes_to_the_address(
    certificate: Path, connected: list[tuple[Any, ...]]
) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    heard: list[str | None] = []
    serving.sni_callback = lambda connection, name, context: heard.append(name)  # type: ignore[assignment]
    trusting = ssl.create_default_context(cafile=str(certificate))
    with image_server(serving) as (port, asked):
        fetcher = Fetcher(resolve=names(images=["127.0.0.1"], other=["127.0.0.1"]), tls=trusting)
        origin = f"https://images.example.org:{port}"
        assert asyncio.run(fetcher.fetch(f"{origin}/image", allowed=origin)) == PNG
        assert heard == ["images.example.org"]
        assert asked[-1][1]["host"] == f"images.example.org:{port}"
        assert connected == [("127.0.0.1", port)]
        other = f"https://other.example.org:{port}"
        assert code_of(fetcher, f"{other}/image", allowed=other) == "invalid_image"
        assert code_of(Fetcher(resolve=names(images=["127.0.0.1"])), f"{origin}/image", allowed=origin)  # not trusted
        assert len(asked) == 1
