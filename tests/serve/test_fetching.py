"""Fetching from servers that behave and from such that do not, at loopback addresses."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.serve.watched_sockets import code_of, connections, names
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fetch import Fetcher

PUBLIC = "93.184.215.14"
PNG = b"\x89PNG and the rest"


@pytest.fixture
def connected() -> Iterator[list[tuple[Any, ...]]]:
    with connections() as found:
        yield found


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
