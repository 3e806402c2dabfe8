"""Clients that leave: before, while and after their requests are worked on. Spoken to without a network."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image

from tests.serve.slow import SlowEngine, slow_model
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.core import Core
from youtu_gguf.serve.settings import ServeSettings

SOON_S = 10.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def running(engine: SlowEngine, settings: ServeSettings) -> AsyncIterator[tuple[FastAPI, Core]]:
    """Give a server that is ready; at the end nothing may be left of its requests."""
    app = create_app(lambda: slow_model(engine), settings)
    core: Core = app.state.core
    async with core.running():
        await core.loading
        yield app, core
        await until(lambda: core.jobs.admission.n_running == core.jobs.admission.n_waiting == engine.n_running == 0)


def ask(stream: bool) -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), (9, 9, 9)).save(file, "PNG")
    image = base64.b64encode(file.getvalue()).decode()
    return json.dumps({"image": image, "question": "Why?", "stream": stream}).encode()


class Client:
    """One request over ASGI, whose client leaves when it is told to."""

    def __init__(self, app: FastAPI, body: bytes, host: str = "127.0.0.1", *, reads: bool = True) -> None:
        self.leave = asyncio.Event()
        self.reads = reads
        self.sent: list[dict[str, Any]] = []
        self._body: bytes | None = body
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/v1/tasks/ask", "raw_path": b"/v1/tasks/ask", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "client": (host, 1),
        }  # fmt: skip
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))  # type: ignore[arg-type]

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)
        if not self.reads:
            await asyncio.Event().wait()

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_it_is_answered_ends_the_work(stream: bool) -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings()) as (app, core):
            client = Client(app, ask(stream))
            await until(lambda: engine.n_running == 1)
            client.leave.set()
            await client.task
            await until(lambda: engine.n_running == 0)
            assert 'youtu_cancelled_total{stage="' in core.metrics.text().decode()

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_while_it_waits_gives_up_its_place(stream: bool) -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=1)) as (app, core):
            first, second = Client(app, ask(True)), Client(app, ask(stream))
            await until(lambda: core.jobs.admission.n_waiting == 1)
            second.leave.set()
            await second.task
            await until(lambda: core.jobs.admission.n_waiting == 0)
            await until(lambda: engine.n_running == 1)
            first.leave.set()
            await first.task

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_has_left_before_its_answer_begins_costs_nothing(stream: bool) -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=1)) as (app, core):
            for _ in range(10):
                client = Client(app, ask(stream))
                client.leave.set()
                await client.task
            await until(lambda: core.jobs.admission.n_running == 0)

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_the_server_drops_costs_nothing(stream: bool) -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=1)) as (app, core):
            for n_steps in range(40):
                client = Client(app, ask(stream))
                for _ in range(n_steps):
                    await asyncio.sleep(0)
                client.task.cancel()
                await asyncio.wait((client.task,))
            await until(lambda: core.jobs.admission.n_running == 0)

    asyncio.run(run())


@pytest.mark.parametrize("n_steps", [0, 5, 50])
def test_a_client_that_does_not_read_and_leaves_is_no_failure(n_steps: int, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=1)) as (app, _):
            client = Client(app, ask(True))
            await until(lambda: "event: piece" in client.text)
            client.reads = False
            n_sent = len(client.sent)
            await until(lambda: len(client.sent) > n_sent)  # the next chunk is not taken
            for _ in range(n_steps):
                await asyncio.sleep(0.001)
            client.leave.set()
            await client.task

    asyncio.run(run())
    assert caplog.text == ""


def test_a_full_queue_is_refused_before_the_stream_begins() -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=1, max_waiting=1)) as (app, core):
            clients = [Client(app, ask(True)) for _ in range(3)]
            await until(lambda: any(client.task.done() for client in clients))
            (refused,) = [client for client in clients if client.task.done()]
            assert refused.sent[0]["status"] == 429
            assert dict(refused.sent[0]["headers"])[b"retry-after"] == b"2"
            assert json.loads(refused.text)["error"]["code"] == "queue_full"
            assert 'youtu_rejected_total{reason="queue_full"} 1.0' in core.metrics.text().decode()
            for client in clients:
                client.leave.set()
                await client.task

    asyncio.run(run())


def test_another_client_goes_before_the_second_request_of_a_busy_one() -> None:
    async def run() -> None:
        engine = SlowEngine()
        async with running(engine, ServeSettings(n_answers=2)) as (app, core):
            greedy = [Client(app, ask(True), "127.0.0.1") for _ in range(6)]
            await until(lambda: core.jobs.admission.n_waiting == 4)
            modest = Client(app, ask(True), "127.0.0.2")
            await until(lambda: '"position":1' in modest.text)
            assert [client for client in greedy if client.task.done()] == []
            await until(lambda: any("event: piece" in client.text for client in greedy))
            next(client for client in greedy if "event: piece" in client.text).leave.set()
            await until(lambda: "event: piece" in modest.text)
            assert core.jobs.admission.n_waiting == 4
            for client in (*greedy, modest):
                client.leave.set()
                await client.task

    asyncio.run(run())
