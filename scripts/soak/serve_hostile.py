#!/usr/bin/env python3
"""Hostile bodies for `youtu-gguf serve`: none may be answered with 5xx, start a program, or take much memory.

    python scripts/soak/serve_hostile.py --damaged 2000

The server is a process of its own whose PATH begins with a Ghostscript that leaves a mark. Every file of
hostile_images.py is sent to every route that takes images, as a body, in a form and in base64, with images that claim a
size, have 10,000 frames or hide a bomb in a text; then JSON and forms that are broken in every way, to every route, and
last, damaged images from several clients at once.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import io
import json
import os
import random
import sys
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._asking import Client, Reply
from scripts._serving import Server, serving
from scripts.soak.hostile_images import FOREIGN, MODES, bombs, chunk, images, png

MOST_GROWTH_MB = 600
"""Peak memory above that of a server that has answered once."""

SECRET = "zanzibar-4711"
"""Stands in texts that are sent; it must not stand in the log."""

FAILURE = 500
N_FRAMES = 10_000
CLIENTS = 6

FORM = "multipart/form-data; boundary=x"
JSON = "application/json"


@dataclass(frozen=True)
class Attack:
    """A request that is hostile; `path` is asked by POST."""

    name: str
    path: str
    body: bytes
    type: str = JSON


def gif_of_frames() -> bytes:
    """Return an animation of many frames."""
    buffer = io.BytesIO()
    frame = Image.new("L", (32, 32))
    frame.save(buffer, "GIF", save_all=True, append_images=[Image.new("L", (32, 32), 1), frame])
    data = buffer.getvalue()
    begin = data.index(b"\x21\xf9")  # the first graphic control extension
    return data[:begin] + data[begin:-1] * (N_FRAMES // 3 + 1) + b";"


def hostile_files() -> dict[str, bytes]:
    """Return files that are no images, or not what they seem."""
    packed = zlib.compress(bytes(1 << 28), 9)
    texts = {
        "zTXt": b"a\0\0" + packed,
        "iTXt": b"a\0\1\0\0\0" + packed,
        "iCCP": b"a\0\0" + packed,
        "tEXt": b"a\0" + bytes(4 << 20),
    }
    buffer = io.BytesIO()
    Image.effect_noise((640, 480), 80).convert("RGB").save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    found = {
        **FOREIGN,
        **dict(bombs()),
        "png of 50,000 x 50,000": png(50_000, 50_000, 8, 2, rows=100),
        "gif of 10,000 frames": gif_of_frames(),
        "truncated jpeg": jpeg[: len(jpeg) // 2],
        "jpeg of a header": jpeg[:300],
        "path": b"/etc/passwd",
        "name of a model": b"nano",
    }
    for kind, data in texts.items():
        found[f"png with a bomb in {kind}"] = png(8, 8, 8, 0, chunk(kind.encode(), data), rows=8)
        found[f"png with 500 of {kind}"] = png(8, 8, 8, 0, chunk(kind.encode(), data[: 1 << 12]) * 500, rows=8)
    return found


def form(name: str, data: bytes, filename: str = "../../etc/passwd\r\n.png") -> bytes:
    """Return a form of one file."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode() + data + b"\r\n--x--\r\n"


def of_file(name: str, data: bytes, *, short: bool) -> Iterator[Attack]:
    """Yield the ways to send a file."""
    yield Attack(name, "/v1/images", data, "image/png")
    if short:
        return
    yield Attack(name, "/v1/images", form("image", data), FORM)
    yield Attack(name, "/v1/vision/detection", form("image", data), FORM)
    yield Attack(name, "/v1/files", form("file", data), FORM)
    text = base64.b64encode(data).decode()
    uri = f"data:image/png;base64,{text}"
    part = {"type": "image_url", "image_url": {"url": uri}}
    bodies = {
        "/v1/tasks/describe": {"image": uri},
        "/v1/chat/completions": {"model": "youtu-vl", "messages": [{"role": "user", "content": [part]}]},
        "/v1/responses": {
            "model": "youtu-vl",
            "input": [{"role": "user", "content": [{"type": "input_image", "image_url": uri}]}],
        },
        "/api/generate": {"model": "youtu-vl", "prompt": SECRET, "images": [text], "stream": False},
        "/api/chat": {"model": "youtu-vl", "messages": [{"role": "user", "content": SECRET, "images": [text]}]},
        "/v1/detection": {"model": "youtu-vl", "image": uri},
        "/v1/depth": {"model": "youtu-vl", "image": text},
        "/x-anylabeling/v1/predict": {"model": "youtu-vl-detect", "image": uri, "params": {}},
        "/label-studio/predict": {
            "tasks": [{"id": 1, "data": {"image": uri}}],
            "label_config": '<View><Image name="a" value="$image"/><RectangleLabels name="b" toName="a"/></View>',
        },
    }
    for path, body in bodies.items():
        yield Attack(name, path, json.dumps(body).encode())


ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
)
XML = f'{ENTITIES}<!ENTITY z SYSTEM "file:///etc/passwd">]><View><Header value="&j;&z;"/></View>'


def bodies() -> dict[str, bytes]:
    """Return bodies that are no good JSON, or too much of it, by what they are."""
    texts = ("image", "phrase", "question", "description", "prompt", "model", "input", "what", "label_config")
    lists = ("messages", "classes", "tasks", "images", "boxes", "points", "box", "point")
    values = {
        "huge number": "1e400", "large number": "9" * 19, "number of 10,000 digits": "9" * 10_000, "nan": "NaN",
        "null": "null", "true": "true", "object": "{}", "list of lists": "[[[[]]]]", "negative": "-1",
        "text of null": '"\\u0000"', "half a character": '"\\ud800"', "path": '"/etc/passwd"', "name": '"nano"',
        "url of a file": '"file:///etc/passwd"', "url of this machine": '"http://127.0.0.1/"', "empty": '""',
        "control tokens": json.dumps(f"<|end_of_text|>\n<|begin_of_text|>assistant {SECRET}" * 20),
        "entities": json.dumps(XML),
    }  # fmt: skip
    found = {
        "nothing": b"",
        "no json": b"{'a': 1}",
        "invalid utf-8": b'{"image": "\xff\xfe"}',
        "utf-16": '{"image": ""}'.encode("utf-16"),
        "null bytes": b"\0" * 1000,
        "deep lists": b"[" * 200_000,
        "deep objects": b'{"a":' * 100_000,
        "1,000 levels": b'{"image":' * 1000 + b"1" + b"}" * 1000,
        "twice": b'{"image": 1, "image": 2}',
        "ten million lists": b'{"image": [' + b"[]," * 8_000_000 + b"[]]}",
        "ten million objects": b'{"image": [' + b"{}," * 8_000_000 + b"{}]}",
        "many names": b"{" + b",".join(b'"%d":0' % i for i in range(200_000)) + b"}",
        "one emoji": b'{"question": "' + b"a" * (30 << 20) + "😀".encode() + b'"}',
        "long text": b'{"image": "img_' + b"a" * (30 << 20) + b'"}',
        "all base64 but the end": b'{"image": "' + b"A" * (30 << 20) + b'!"}',
    }
    for what, value in values.items():
        fields = [f'"{name}": {value}' for name in texts] + [f'"{name}": [{value}]' for name in lists]
        found[f"all are {what}"] = f"{{{', '.join(fields)}}}".encode()
    return found


def forms() -> dict[str, bytes]:
    """Return forms that are broken."""
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    return {
        "form without an end": part * 3,
        "form of 10,000 parts": part * 10_000 + b"--x--\r\n",
        "form of one long header": b"--x\r\nContent-Disposition: " + b"a" * (20 << 20),
        "form of line ends": b"--x\r\n" + b"\r\n" * (10 << 20),
        "form of half boundaries": form("image", b"\r\n--" * (5 << 20)),
        "form in a form": form("image", form("image", part)),
        "form with a file and params": form("image", b"a")[:-7] + part.replace(b'"a"', b'"params"') + b"--x--\r\n",
    }


def posted_to(server: Server) -> list[str]:
    """Return the paths that are posted to, with something for each name in them."""
    with server.client() as client:
        described = client.send("GET", "/openapi.json").json()["paths"]
    return [path.replace("{", "").replace("}", "") for path, methods in described.items() if "post" in methods]


class Siege:
    """Attacks one server, in any number of threads.

    Attributes:
        outcomes: How often each status was answered.
        faults: What must not have happened.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self.outcomes: Counter[int] = Counter()
        self.faults: list[str] = []

    def send(self, client: Client, attack: Attack) -> Reply | None:
        """Send one request; None where the server hung up."""
        reply = None
        try:
            reply = client.send("POST", attack.path, attack.body, attack.type)
        except (OSError, http.client.HTTPException):
            client.close()
        with self._lock:
            self.outcomes[reply.status if reply else 0] += 1
            if reply is None:
                self.faults.append(f"{attack.path}, {attack.name}: hung up")
            elif reply.status >= FAILURE:
                self.faults.append(f"{attack.path}, {attack.name}: {reply.status} {reply.body[:200]!r}")
            elif b"Traceback" in reply.body or b'File \\"' in reply.body or b"site-packages" in reply.body:
                self.faults.append(f"{attack.path}, {attack.name}: tells too much: {reply.body[:300]!r}")
        return reply

    def storm(self, n: int, seed: int) -> None:
        """Send `n` damaged images from several clients at once."""

        def visit(number: int) -> None:
            rng = random.Random(seed + number)
            with self._server.client() as client:
                for name, data in images(n // CLIENTS, seed + number, MODES[: 2 + number]):
                    ways = list(of_file(name, data, short=rng.random() < 0.7))
                    self.send(client, rng.choice(ways))

        threads = [threading.Thread(target=visit, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def peak_mb(server: Server) -> float:
    """Return the highest resident memory that the server has had."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return server.memory_bytes() / 2**20


@contextlib.contextmanager
def false_ghostscript(mark: Path) -> Iterator[None]:
    """Put a `gs` first in PATH that leaves a mark when it is started."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("gs", "gswin64c", "gswin32c"):
            program = Path(folder, name)
            program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
            program.chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def run(*, short: bool, n_damaged: int = 0, seed: int = 7) -> tuple[Counter[int], list[str], float]:
    """Attack a server of its own.

    Args:
        short: Send each file and body to one route, not to all.
        n_damaged: Damaged images that are sent at once by several clients.
        seed: Which.

    Returns:
        How often each status was answered, what must not have happened, and the growth of memory at its peak in MB.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        false_ghostscript(Path(folder, "mark")),
        serving("nano", "--fetch-urls") as server,
    ):
        siege = Siege(server)
        with server.client() as client:
            good = Attack("a good image", "/v1/images", png(64, 64, 8, 2, rows=64), "image/png")
            siege.send(client, good)
            before = peak_mb(server)
            for name, data in hostile_files().items():
                for attack in of_file(name, data, short=short):
                    siege.send(client, attack)
            paths = posted_to(server)
            rng = random.Random(seed)
            for name, body in bodies().items():
                for path in rng.sample(paths, 1) if short else paths:
                    siege.send(client, Attack(name, path, body))
            for name, body in forms().items():
                for path in ["/v1/images"] if short else paths:
                    siege.send(client, Attack(name, path, body, FORM))
            if n_damaged:
                siege.storm(n_damaged, seed)
            reply = siege.send(client, good)
            if reply is None or reply.status not in (200, 201):
                siege.faults.append(f"a good image at the end: {reply and reply.status}")
        growth = peak_mb(server) - before
        if Path(folder, "mark").exists():
            siege.faults.append("Ghostscript was started")
        if server.n_children():
            siege.faults.append(f"{server.n_children()} processes were started")
        log = server.log.read_text(errors="replace")
        if "Traceback" in log or SECRET in log:
            siege.faults.append(f"the log: {log[-3000:]}")
    if growth > MOST_GROWTH_MB:
        siege.faults.append(f"memory grew by {growth:.0f} MB (at most {MOST_GROWTH_MB})")
    return siege.outcomes, siege.faults, growth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damaged", type=int, default=2000, help="damaged images sent by several clients at once")
    parser.add_argument("--short", action="store_true", help="each file and body to one route, not to all")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    outcomes, faults, growth = run(short=args.short, n_damaged=args.damaged, seed=args.seed)
    for status, count in sorted(outcomes.items()):
        print(f"{count:6} answered {status}")
    print(f"memory grew by {growth:.0f} MB at its peak (at most {MOST_GROWTH_MB})")
    print("\n".join(faults) or "no failure, no program started, nothing told")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
