"""Eight clients at a time: decodes and tokens per second against `Scene.many`, and /healthz meanwhile."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from _serve_rows import Row, elapsed, jpegs

import youtu_gguf as yg
from scripts._asking import Client
from scripts._serving import Server

N_CLIENTS = 8
SUBJECTS = ("kitchen", "place", "owner", "animals", "maker", "movement", "lettering", "season")
MAX_TOKENS = 32
OPTIONS = {"max_tokens": MAX_TOKENS, "temperature": 0}

Ask = Callable[[Client, str, str], int]
"""Ask a question about an image; return the number of tokens of the answer."""


def questions(number: int) -> list[str]:
    """Return questions that were not asked before."""
    return [f"Tell me of the {subject}, {number}." for subject in SUBJECTS]


def by_task(client: Client, image: str, question: str) -> int:
    """Ask by the native route."""
    answer = client.post("/v1/tasks/ask", {"image": image, "question": question, "options": OPTIONS})
    return int(answer["usage"]["generated_tokens"])


def by_stream(client: Client, image: str, question: str) -> int:
    """Ask by the native route, with pieces."""
    body = {"image": image, "question": question, "options": OPTIONS, "stream": True}
    (result,) = [event.data for event in client.stream("/v1/tasks/ask", body) if event.name == "result"]
    return int(result["usage"]["generated_tokens"])


def by_chat(client: Client, image: str, question: str) -> int:
    """Ask by OpenAI's route."""
    content = [
        {"type": "image_url", "image_url": {"url": image}},
        {"type": "text", "text": question},
    ]
    body = {"model": "youtu-vl", "messages": [{"role": "user", "content": content}], **OPTIONS}
    return int(client.post("/v1/chat/completions", body)["usage"]["completion_tokens"])


WAYS: dict[str, Ask] = {"JSON": by_task, "SSE": by_stream, "OpenAI": by_chat}


def at_once(clients: Sequence[Client], images: Sequence[str], asked: Sequence[str], ask: Ask) -> tuple[int, float]:
    """Ask from every client at the same moment; return the tokens of all answers, and the seconds."""
    barrier = threading.Barrier(len(clients) + 1)

    def one(client: Client, image: str, question: str) -> int:
        barrier.wait()
        return ask(client, image, question)

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = [pool.submit(one, *of) for of in zip(clients, itertools.cycle(images), asked, strict=False)]
        barrier.wait()
        seconds, counts = elapsed(lambda: [answer.result() for answer in answers])
    return sum(counts), seconds


def together(model: yg.Model, scene: yg.Scene, asked: Sequence[str]) -> tuple[int, float, int]:
    """Ask the same by `Scene.many`; return the tokens, the seconds, and the decodes."""
    before = model.counts().decodes
    seconds, results = elapsed(
        lambda: scene.many([("ask", question) for question in asked], max_tokens=MAX_TOKENS, temperature=0)
    )
    return sum(result.timings.n_generated for result in results), seconds, model.counts().decodes - before


def one_way(server: Server, model: yg.Model, name: str, n_images: int, rounds: int) -> list[Row]:
    """Compare one way of asking, in turns with `Scene.many` about the first image."""
    clients = [server.client() for _ in range(N_CLIENTS)]
    files = list(itertools.islice(jpegs(), n_images))
    images = [clients[0].post("/v1/images", data, "image/jpeg")["id"] for data in files]
    for image in images:
        by_task(clients[0], image, "What is it?")
    http, own = [], []
    with model.open(files[0]) as scene:
        together(model, scene, questions(-1))
        for number in range(rounds):
            asked = questions(number)
            own.append(together(model, scene, asked))
            before = server.decodes()
            tokens, seconds = at_once(clients, images, asked, WAYS[name])
            http.append((tokens, seconds, server.decodes() - before))
    for client in clients:
        client.close()
    decodes = statistics.median(h[2] / o[2] for h, o in zip(http, own, strict=True))
    rates = statistics.median((h[0] / h[1]) / (o[0] / o[1]) for h, o in zip(http, own, strict=True))
    text = f"decodes {statistics.median(h[2] for h in http):g}, many {statistics.median(o[2] for o in own):g}"
    speed = (
        f"{statistics.median(h[0] / h[1] for h in http):.0f}, many {statistics.median(o[0] / o[1] for o in own):.0f}"
    )
    bars = (1.2, 0.95) if n_images == 1 else (None, None)
    what = f"8 clients, {n_images} image{'s' if n_images > 1 else ''}, {name}"
    return [
        Row(f"{what}: decodes / many", decodes, bars[0], "x", text),
        Row(f"{what}: tokens/s / many", rates, bars[1], "x", f"tokens/s {speed}", least=True),
    ]


def health_ms(server: Server, stop: threading.Event) -> list[float]:
    """Ask /healthz every 10 ms until `stop`; return the milliseconds of each answer."""
    found = []
    with server.client() as client:
        while not stop.is_set():
            found.append(1e3 * elapsed(lambda: client.send("GET", "/healthz"))[0])
            time.sleep(0.01)
    return found


def health(server: Server, rounds: int) -> Row:
    """Return the 99th percentile of /healthz while eight answers run and new images are read."""
    stop, files = threading.Event(), jpegs()
    with ThreadPoolExecutor(1) as pool, server.client() as first:
        watching = pool.submit(health_ms, server, stop)
        clients = [server.client() for _ in range(N_CLIENTS)]
        for number in range(rounds):
            data = next(files)
            image: str = first.post("/v1/images", data, "image/jpeg")["id"]
            at_once(clients, [image], questions(100 + number), by_stream)
        for client in clients:
            client.close()
        stop.set()
        found = sorted(watching.result())
    text = f"median {statistics.median(found):.1f} ms, worst {found[-1]:.0f} ms, {len(found)} asked"
    return Row("/healthz while 8 answers run, 99th percentile", found[int(len(found) * 0.99)], 100, "ms", text)


def measure(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Return ratios to `Scene.many`."""
    found: list[Any] = []
    for name in WAYS:
        found += one_way(server, model, name, 1, rounds)
    found += one_way(server, model, "JSON", 4, rounds)
    return [*found, health(server, rounds)]
