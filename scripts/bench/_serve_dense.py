"""Maps over HTTP: what each form of them costs beyond the same task in this process."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from _serve_rows import Row, elapsed, jpegs

import youtu_gguf as yg
from scripts._asking import Client
from scripts._serving import Server

TASKS: dict[str, tuple[dict[str, Any], Callable[[yg.Scene], yg.Result]]] = {
    "depth": ({}, lambda scene: scene.depth()),
    "segment": (
        {"classes": ["table", "cup", "wall"], "present": "all"},
        lambda scene: scene.segment(["table", "cup", "wall"], present="all"),
    ),
}
FORMS = {
    "depth": ("application/json", "image/png", "application/octet-stream", "application/x-npz"),
    "segment": ("application/json", "image/png"),
}


def one(client: Client, image: str, scene: yg.Scene, task: str, form: str, rounds: int) -> Row:
    body, run = TASKS[task]
    own_s, http_s, size = [], [], 0
    for _ in range(rounds + 1):
        own_s.append(elapsed(lambda: run(scene))[0])
        seconds, reply = elapsed(
            lambda: client.send("POST", f"/v1/tasks/{task}", {"image": image, **body}, Accept=form)
        )
        if reply.status != 200:
            raise RuntimeError(f"{task} as {form}: {reply.status} {reply.body[:300]!r}")
        http_s.append(seconds)
        size = len(reply.body)
    added = statistics.median(1e3 * (http - own) for http, own in zip(http_s[1:], own_s[1:], strict=True))
    text = f"{size / 1e3:.0f} kB, in-process {1e3 * statistics.median(own_s[1:]):.0f} ms"
    return Row(f"{task} as {form}", added, None, "ms", text)


def measure(server: Server, model: yg.Model, rounds: int) -> list[Row]:
    """Return HTTP minus in-process of maps of a 640x480 image that both have read, in ms."""
    data = next(jpegs())
    with server.client() as client, model.open(data) as scene:
        image = client.post("/v1/images", data, "image/jpeg")["id"]
        return [one(client, image, scene, task, form, rounds) for task in TASKS for form in FORMS[task]]
