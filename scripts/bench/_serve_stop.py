"""SIGTERM while eight answers are streamed: how long until the process has ended, and what each stream was told."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from _serve_cancel import LONG, N_ANSWERS, TASK
from _serve_rows import Row, jpegs

from scripts._asking import Client
from scripts._serving import serving

DRAIN_S = 2.0


def read_to_end(client: Client, image: str, number: int, started: threading.Barrier) -> str:
    """Return how an endless stream ends, "error" or the name of its last event; wait at `started` in between."""
    name, waiting = "", True
    body = {"image": image, "question": f"Go on, {number}.", "options": LONG, "stream": True}
    for event in client.stream(TASK, body):
        if event.name == "piece" and waiting:
            started.wait()
            waiting = False
        name = "error" if name == "error" else event.name  # "done" comes after it
    return name


def measure(model: str) -> list[Row]:
    """Return the seconds from SIGTERM to the end, beyond the drain, and the streams that ended with an error."""
    with serving(model, "--drain", f"{DRAIN_S:g}") as server, ThreadPoolExecutor(N_ANSWERS) as pool:
        with server.client() as client:
            image = client.post("/v1/images", next(jpegs()), "image/jpeg")["id"]
            client.post(TASK, {"image": image, "question": "What is it?", "options": {"max_tokens": 1}})
        started = threading.Barrier(N_ANSWERS + 1)
        streams = [pool.submit(read_to_end, server.client(), image, i, started) for i in range(N_ANSWERS)]
        started.wait()
        sent = time.perf_counter()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(60)
        seconds = time.perf_counter() - sent
        ends = [stream.result() for stream in streams]
    n_errors = sum(name == "error" for name in ends)
    return [
        Row("SIGTERM with 8 streams: end after the drain", seconds - DRAIN_S, 1, "s", f"exit code {code}"),
        Row("SIGTERM with 8 streams: error events", n_errors, N_ANSWERS, "", f"ends {sorted(ends)}", least=True),
    ]
