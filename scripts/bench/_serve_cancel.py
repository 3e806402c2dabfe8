"""A client that hangs up: how long until its place is free, at each stage of its request."""

from __future__ import annotations

import itertools
import json
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from _serve_rows import Row, elapsed, jpegs

import youtu_gguf as yg
from scripts._asking import Client
from scripts._serving import Server

TASK = "/v1/tasks/ask"
LONG = {"max_tokens": 4000, "temperature": 0, "loop_guard": False}
N_ANSWERS = 8
LONGEST_WAIT_S = 60.0
MOMENTS = (0.2, 0.4, 0.6, 0.8)


def until(reached: Callable[[], bool]) -> float:
    """Return the seconds until `reached`, which is asked every millisecond."""
    started = time.perf_counter()
    while not reached():
        if time.perf_counter() - started > LONGEST_WAIT_S:
            raise RuntimeError(f"it was not reached within {LONGEST_WAIT_S:g} s")
        time.sleep(0.001)
    return time.perf_counter() - started


@contextmanager
def begun(server: Server, body: dict[str, Any]) -> Iterator[socket.socket]:
    """Send a request and read nothing; the `with` block may close the connection."""
    data = json.dumps(body).encode()
    header = f"POST {TASK} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{header}\r\n\r\n".encode() + data)
        yield connection


def body_of(image: str, number: int, **more: Any) -> dict[str, Any]:
    return {"image": image, "question": f"Go on, {number}.", "options": LONG, **more}


def stream_of(client: Client, image: str, number: int) -> Iterator[Any]:
    events = client.stream(TASK, body_of(image, number, stream=True))
    return (event for event in events if event.name == "piece")


def generating(server: Server, watch: Client, image: str, rounds: int) -> list[Row]:
    """Hang up in the middle of an answer, streamed and not."""
    streamed, plain, tokens = [], [], []
    for number in range(rounds):
        with server.client() as client:
            times = [event.at for event in itertools.islice(stream_of(client, image, number), 12)]
            client.close()
            streamed.append(1e3 * until(lambda: server.n_busy(watch) == 0))
        tokens += [1e3 * (b - a) for a, b in itertools.pairwise(times)]
        with begun(server, body_of(image, 1000 + number)) as connection:
            until(lambda: server.n_busy(watch) == 1)
            time.sleep(0.3)  # the image is known, so it generates
            connection.close()
            plain.append(1e3 * until(lambda: server.n_busy(watch) == 0))
    token = statistics.median(tokens)
    text = f"one token {token:.1f} ms; worst {{:.1f}} ms"
    return [
        Row("hang-up while generating, SSE", statistics.median(streamed), token + 50, "ms", text.format(max(streamed))),
        Row("hang-up while generating, JSON", statistics.median(plain), token + 50, "ms", text.format(max(plain))),
    ]


class Steps:
    """Measures the longest step of reading an image; given to `load` as its progress."""

    def __init__(self) -> None:
        self.longest_s, self._last, self._stage = 0.0, 0.0, ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        if stage == self._stage and stage in ("encode", "prefill"):
            self.longest_s = max(self.longest_s, now - self._last)
        self._last, self._stage = now, stage if done < total else ""

    def reset(self) -> None:
        self.longest_s, self._stage = 0.0, ""


def reading(server: Server, watch: Client, model: yg.Model, steps: Steps, files: Iterator[bytes]) -> list[Row]:
    """Hang up at moments spread over the reading of a new image."""
    steps.reset()
    with model.open(next(files)) as scene:
        whole_s, _ = elapsed(scene.patches)
    late = []
    for moment in MOMENTS:
        with server.client() as client:
            image = client.post("/v1/images", next(files), "image/jpeg")["id"]
        with begun(server, body_of(image, 0)) as connection:
            time.sleep(moment * whole_s)
            connection.close()
            late.append(1e3 * until(lambda: server.n_busy(watch) == 0))
    slice_ms = 1e3 * steps.longest_s
    text = f"one slice {slice_ms:.0f} ms of {1e3 * whole_s:.0f} ms, median {statistics.median(late):.0f} ms"
    return [Row("hang-up while reading, worst", max(late), slice_ms, "ms", text)]


def queued(server: Server, watch: Client, image: str) -> list[Row]:
    """Hang up in the queue, behind eight answers."""
    late = []
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(N_ANSWERS)]
        for number, client in enumerate(clients):
            next(stream_of(client, image, 2000 + number))
        for number, more in enumerate(({}, {"stream": True}) * 3):
            with begun(server, body_of(image, 3000 + number, **more)) as connection:
                until(lambda: server.n_busy(watch) == N_ANSWERS + 1)
                connection.close()
                late.append(1e3 * until(lambda: server.n_busy(watch) == N_ANSWERS))
    free_ms = 1e3 * until(lambda: server.n_busy(watch) == 0)
    text = f"worst {max(late):.1f} ms; all eight that ran were free {free_ms:.0f} ms after they hung up together"
    return [Row("hang-up in the queue", statistics.median(late), 50, "ms", text)]


def measure(server: Server, model: yg.Model, steps: Steps, rounds: int) -> list[Row]:
    """Return how late places become free, in ms, as /v1/info tells."""
    files = jpegs()
    with server.client() as watch:
        image = watch.post("/v1/images", next(files), "image/jpeg")["id"]
        watch.post(TASK, {"image": image, "question": "What is it?", "options": {"max_tokens": 1}})
        return [
            *generating(server, watch, image, rounds),
            *reading(server, watch, model, steps, files),
            *queued(server, watch, image),
        ]
