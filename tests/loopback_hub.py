"""A small Hugging Face hub on the loopback address, with the troubles of real lines and servers."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "tencent/Youtu-VL-4B-Instruct-GGUF"
MODEL, PROJECTOR = "Youtu-VL-4B-Instruct-Q8_0.gguf", "mmproj-Youtu-VL-4b-Instruct-BF16.gguf"

Trouble = Callable[["Exchange"], bool]
"""Something that happens to a request for a file's bytes; true where it has answered the request itself."""


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Hub:
    """What the server holds, what is to go wrong, and what was asked of it.

    Attributes:
        files: Contents by name.
        listed: Contents by name that the listing speaks of, where they are not those that are served.
        troubles: What happens to the next requests for bytes, one after the other.
        listing_troubles: The same, for requests for the listing.
        tokens: The authorization that came with each request about the repository.
        served: (file, first byte, bytes sent) of every request for bytes.
        sizes: What the listing gives as the size of a file, where that is not its length.
        stop: Set when the server is to end, which wakes whatever stalls.
    """

    files: dict[str, bytes]
    listed: dict[str, bytes] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    listing_troubles: list[Trouble] = field(default_factory=list)
    served: list[tuple[str, int, int]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    sizes: dict[str, object] = field(default_factory=dict)
    url: str = ""
    _digests: dict[int, str] = field(default_factory=dict)

    def sent(self, name: str) -> int:
        """Return how many bytes of a file went out, over all requests."""
        return sum(n for file, _, n in self.served if file == name)

    def digest(self, name: str) -> str:
        """Return the sha256 that the hub says a file has; reckoned once, for files may be large."""
        data = self.listed.get(name, self.files[name])
        if id(data) not in self._digests:
            self._digests[id(data)] = sha256_of(data)
        return self._digests[id(data)]


@dataclass
class Exchange:
    """One request for a file's bytes and the answer to it, for a trouble to change."""

    hub: Hub
    handler: BaseHTTPRequestHandler
    name: str
    body: bytes
    start: int
    headers: dict[str, str]
    status: int
    stop_after: int | None = None
    stalls: bool = False

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """Answer something else altogether."""
        self.handler.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.handler.send_header(key.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(body)
        return True


def fine(_exchange: Exchange) -> bool:
    return False


def cut_at(position: int) -> Trouble:
    """Close the connection once the file has been sent up to `position`."""

    def trouble(exchange: Exchange) -> bool:
        exchange.stop_after = max(0, position - exchange.start)
        return False

    return trouble


def stall_at(position: int) -> Trouble:
    """Send nothing more from `position` on, and keep the connection open."""

    def trouble(exchange: Exchange) -> bool:
        exchange.stop_after, exchange.stalls = max(0, position - exchange.start), True
        return False

    return trouble


def status(code: int, **headers: str) -> Trouble:
    return lambda exchange: exchange.answer(code, b"no", **headers)


def web_page(exchange: Exchange) -> bool:
    """Answer as a network that wants its users to log in first does."""
    return exchange.answer(200, b"<!DOCTYPE html><html>Welcome to our guest network</html>", Content_Type="text/html")


def as_long_as_the_file(exchange: Exchange) -> bool:
    """Answer with a page that happens to have the right length."""
    return exchange.answer(200, b"<!DOCTYPE html>".ljust(len(exchange.hub.files[exchange.name])))


def whole_file(exchange: Exchange) -> bool:
    """Send everything, whatever part was asked for."""
    exchange.body, exchange.start, exchange.status = exchange.hub.files[exchange.name], 0, 200
    exchange.headers = {"Content-Length": str(len(exchange.body))}
    return False


def without_length(exchange: Exchange) -> bool:
    """Send everything, and close the connection to say that it was all."""
    whole_file(exchange)
    exchange.headers = {}
    return False


def nothing(exchange: Exchange) -> bool:
    """Close the connection after headers that promise no length."""
    without_length(exchange)
    exchange.body = b""
    return False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionResetError):  # the other side has left
            super().handle()

    def do_HEAD(self) -> None:
        self.respond()

    def do_GET(self) -> None:
        self.respond()

    def respond(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        if REPOSITORY in path:
            self.hub.tokens.append(self.headers.get("Authorization"))
        try:
            if found := re.fullmatch(rf"api/models/{REPOSITORY}(?:/revision/(.+))?", path):
                self.listing(found[1] or "main")
            elif found := re.fullmatch(rf"{REPOSITORY}/resolve/([^/]+)/(.+)", path):
                self.file(found[2])
            else:
                self.nothing("RepoNotFound")
        except (BrokenPipeError, ConnectionResetError):  # the other side has left
            self.close_connection = True

    def nothing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def listing(self, revision: str) -> None:
        if self.hub.listing_troubles and self.hub.listing_troubles.pop(0)(
            Exchange(self.hub, self, "", b"", 0, {}, 200)
        ):
            return
        if revision not in ("main", "v1", COMMIT):
            self.nothing("RevisionNotFound")
            return
        siblings = []
        for name in self.hub.files:
            data = self.hub.listed.get(name, self.hub.files[name])
            lfs = {"size": self.hub.sizes.get(name, len(data)), "sha256": self.hub.digest(name), "pointerSize": 135}
            entry = {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(name.encode()).hexdigest()}
            siblings.append(entry | ({"lfs": lfs} if name.endswith(".gguf") else {}))
        body = json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, name: str) -> None:
        if name not in self.hub.files:
            self.nothing("EntryNotFound")
            return
        data = self.hub.files[name]
        if self.command == "HEAD":
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{self.hub.digest(name)}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        headers = {"Content-Length": str(len(data) - start)}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        exchange = Exchange(self.hub, self, name, data[start:], start, headers, 206 if asked else 200)
        if self.hub.troubles and self.hub.troubles.pop(0)(exchange):
            return
        self.send(exchange)

    def send(self, exchange: Exchange) -> None:
        self.send_response(exchange.status)
        for key, value in exchange.headers.items():
            self.send_header(key, value)
        self.end_headers()
        body = exchange.body if exchange.stop_after is None else exchange.body[: exchange.stop_after]
        self.hub.served.append((exchange.name, exchange.start, len(body)))
        self.wfile.write(body)
        self.wfile.flush()
        if exchange.stalls:
            self.hub.stop.wait(20)
        if exchange.stop_after is not None or "Content-Length" not in exchange.headers:
            self.close_connection = True


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` at `hub.url` while this lasts."""
    with _running(type("Handler", (_Handler,), {"hub": hub})) as hub.url:
        try:
            yield hub
        finally:
            hub.stop.set()


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server while this lasts; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def redirecting(target: Hub, status: int, relative: str = "") -> Iterator[Hub]:
    """Serve a mirror that sends every request on to `target`, with a relative address below `relative` first if given.

    It records the tokens that it gets, and serves nothing itself.
    """
    mirror = Hub({})

    class Mirror(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if REPOSITORY in self.path:
                mirror.tokens.append(self.headers.get("Authorization"))
            here = bool(relative) and not self.path.startswith(relative)
            self.send_response(status)
            location = relative + self.path if here else target.url + self.path.removeprefix(relative)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    with _running(Mirror) as mirror.url:
        yield mirror
