"""What HTTP adds to one answer: with an image by id, with an upload, and to the first piece of a stream."""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import asdict
from typing import Any

from _serve_rows import Row, elapsed, jpegs

import youtu_gguf as yg
from scripts._asking import Client, form
from scripts._serving import Server

TASK = "/v1/tasks/ask"


def engine_s(timings: Any) -> float:
    """Return the seconds that the engine had of an answer."""
    found = timings if isinstance(timings, dict) else asdict(timings)
    return float(found["encode_s"] + found["prefill_s"] + found["generate_s"])


def added(pairs: list[tuple[tuple[float, Any], tuple[float, Any]]]) -> tuple[float, float, str]:
    """Return the median of HTTP minus in-process in ms, the same without the engine's own time, and both medians."""
    plain = [1e3 * (http - own) for (http, _), (own, _) in pairs]
    without = [
        1e3 * ((http - engine_s(answer["timings"])) - (own - engine_s(value.timings)))
        for (http, answer), (own, value) in pairs
    ]
    http_ms, own_ms = (1e3 * statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
    return statistics.median(plain), statistics.median(without), f"HTTP {http_ms:.1f} ms, in-process {own_ms:.1f} ms"


def rows_of(name: str, goal: float, found: tuple[float, float, str]) -> list[Row]:
    plain, without, text = found
    return [Row(name, plain, goal, "ms", text), Row(f"{name}, the engine's time taken out", without, None, "ms")]


def by_id(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Ask one question of one token in turns over HTTP and in this process, about an image that both have read."""
    data = next(jpegs())
    with server.client() as client, model.open(data) as scene:
        image = client.post("/v1/images", data, "image/jpeg")["id"]

        def http(number: int) -> Any:
            options = {"max_tokens": 1, "temperature": 0}
            return client.post(TASK, {"image": image, "question": f"What is it, {number}?", "options": options})

        def own(number: int) -> yg.Text:
            return scene.ask(f"What is it, {number}?", max_tokens=1, temperature=0)

        http(-1), own(-1)
        pairs = [(elapsed(lambda n=n: http(n)), elapsed(lambda n=n: own(n))) for n in range(rounds)]  # type: ignore[misc]
    return rows_of("image by id", 5, added(pairs))


def uploads(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Send new bytes each time, as a form, and open the same bytes in this process."""
    files = jpegs()
    params = {"question": "What is it?", "options": {"max_tokens": 1, "temperature": 0}}
    with server.client() as client:

        def http(data: bytes) -> Any:
            return client.post(TASK, *form(data, params))

        def own(data: bytes) -> yg.Text:
            with model.open(data) as scene:
                return scene.ask("What is it?", max_tokens=1, temperature=0)

        pairs = []
        for data in itertools.islice(files, rounds + 1):
            pairs.append((elapsed(lambda data=data: http(data)), elapsed(lambda data=data: own(data))))  # type: ignore[misc]
    return rows_of("upload of a 640x480 JPEG", 15, added(pairs[1:]))


def first_pieces(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Take the time to the first piece of a stream, in turns."""
    data = next(jpegs())
    http_s, own_s = [], []
    with server.client() as client, model.open(data) as scene:
        image = client.post("/v1/images", data, "image/jpeg")["id"]
        for number in range(-1, rounds):
            question = f"What is this, {number}?"
            http_s.append(first_piece(client, image, question))
            started = time.perf_counter()
            pieces = scene.ask(question, max_tokens=4, temperature=0, stream=True)
            next(pieces)
            own_s.append(time.perf_counter() - started)
            for _ in pieces:
                pass
    differences = [1e3 * (http - own) for http, own in zip(http_s[1:], own_s[1:], strict=True)]
    text = f"HTTP {1e3 * statistics.median(http_s):.1f} ms, in-process {1e3 * statistics.median(own_s):.1f} ms"
    return [Row("first piece by SSE", statistics.median(differences), 5, "ms", text)]


def first_piece(client: Client, image: str, question: str) -> float:
    """Return the seconds to the first piece of a streamed answer, which is read to its end."""
    body = {"image": image, "question": question, "options": {"max_tokens": 4, "temperature": 0}, "stream": True}
    started = time.perf_counter()
    seconds = None
    for event in client.stream(TASK, body):
        if event.name == "piece" and seconds is None:
            seconds = event.at - started
    if seconds is None:
        raise RuntimeError(f"the stream of {question!r} had no piece")
    return seconds


def measure(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Return what HTTP adds, in ms."""
    return [
        *by_id(server, model, rounds * 3),
        *uploads(server, model, rounds),
        *first_pieces(server, model, rounds * 3),
    ]
