"""What all routes share: the model, the images, the queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from fastapi import Request

from youtu_gguf.errors import YoutuError
from youtu_gguf.serve.batches import Batches
from youtu_gguf.serve.calls import Call, hang_up
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fetch import Fetcher
from youtu_gguf.serve.holder import ModelHolder
from youtu_gguf.serve.images import ImageStore
from youtu_gguf.serve.jobs import LONGEST_S, Job, JobEvents, Jobs, result_of
from youtu_gguf.serve.metrics import CoreCollector, Metrics
from youtu_gguf.serve.preparing import Preparing
from youtu_gguf.serve.results import ResultStore
from youtu_gguf.serve.session import Ticket

if TYPE_CHECKING:
    from youtu_gguf.model import Model
    from youtu_gguf.serve.settings import ServeSettings

LOG = logging.getLogger("youtu_gguf.serve")

T = TypeVar("T")

_SOONEST_S = 0.05
"""Shortest time between two looks at whether the model is idle."""

_EXPIRY_S = 30.0
"""Time between two looks for what has expired."""


class Core:
    """The state of one server. For the event loop's thread, where nothing else is said.

    Attributes:
        settings: How it is run.
        holder: The model.
        images: Images that were sent.
        jobs: Requests in progress.
        metrics: Figures of it.
        results: Values that can be asked for again.
        preparing: Images that are read before they are asked about.
        ticket: What stands for the key once.
        batches: Many images by the same questions.
        loading: The first load of the model; it has the error of one that failed.
    """

    loading: asyncio.Future[Model]

    def __init__(self, load: Callable[[], Model], settings: ServeSettings) -> None:
        self.settings = settings
        self.holder = ModelHolder(load, self._forget_scenes)
        self.images = ImageStore(settings, self.holder)
        self.metrics = Metrics()
        self.jobs = Jobs(settings, self.metrics)
        self.results = ResultStore(settings)
        self.preparing = Preparing(self)
        self.ticket = Ticket(settings.ticket)
        self.batches = Batches(self)
        self.metrics.registry.register(CoreCollector(self))
        self._fetcher = Fetcher(plain_http=settings.fetch_http)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load the model in a thread, and unload it where it is idle, until the `with` block ends; then end all."""
        self.loading = asyncio.ensure_future(asyncio.to_thread(self.holder.load))
        self.loading.add_done_callback(_log_failure)
        keeping = [asyncio.ensure_future(task) for task in (self._unload_when_idle(), self._expire())]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
            await self.jobs.drain(0)
            await self.batches.stop()
            await asyncio.wait((self.loading, *keeping))
            await asyncio.to_thread(self.jobs.close)
            await self.batches.close()
            await asyncio.to_thread(self.holder.close)

    async def _unload_when_idle(self) -> None:
        limit_s = self.settings.idle_unload_s
        while limit_s:
            await asyncio.sleep(max(_SOONEST_S, limit_s - self.holder.idle_s()))
            if await asyncio.to_thread(self.holder.unload_if_idle, limit_s):
                LOG.info("the model was unloaded: no one had used it for %g s", limit_s)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_S)
            self.images.expire()
            self.batches.expire()

    def _forget_scenes(self) -> None:
        self.images.forget_scenes()

    async def fetch(self, url: str, *, allowed: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the bytes of an image at `url`.

        Args:
            url: What a client named.
            allowed: The origin of a server that the operator named: its images, and no others, are fetched then.
            headers: Sent to that server in addition.

        Raises:
            ApiError: URLs are not fetched here, or not this one, or that failed.
        """
        if allowed is None and not self.settings.fetch_urls:
            raise ApiError(
                403, "url_not_allowed",
                "images are not fetched from URLs here. Send the image itself, as a data URI.",
            )  # fmt: skip
        return await self._fetcher.fetch(url, allowed=allowed, headers=headers)

    def start(
        self, request: Request, work: Callable[[Job[T]], T], *, background: bool = False, timeout_s: float = LONGEST_S
    ) -> JobEvents:
        """Begin the work of a streamed answer; see `Jobs.start`. Errors before its first event come from here.

        The work is cancelled when the request has ended, however it ends.

        Raises:
            ApiError: The model is not there yet, the queue is full, or the server is stopping.
        """
        self.holder.check_ready()
        call = Call.of(request)
        events = self.jobs.start(work, client=call.client, id_=call.id, background=background, timeout_s=timeout_s)
        call.job = events.job
        call.at_end.append(events.close)
        return events

    async def run(self, request: Request, work: Callable[[Job[T]], T], *, timeout_s: float = LONGEST_S) -> T:
        """Return what `work` returns, done in a thread. A client that hangs up cancels it.

        The body of `request` must have been read: what comes after it is the hang-up.

        Raises:
            ApiError: As for `start`, and what the work raises, as an answer.
            ClientGoneError: The client hung up.
        """
        events = self.start(request, work, timeout_s=timeout_s)
        return await until_hang_up(request, result_of(events))  # type: ignore[arg-type]  # that of `work`


def _log_failure(loading: asyncio.Future[Model]) -> None:
    error = None if loading.cancelled() else loading.exception()
    if error is not None:
        foreign = None if isinstance(error, YoutuError) else error
        LOG.error("the model cannot be loaded: %s", error, exc_info=foreign)


class ClientGoneError(Exception):
    """The client hung up: there is no one to answer."""


async def until_hang_up(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; cancel it if the client hangs up.

    Raises:
        ClientGoneError: It did.
    """
    results: list[T] = []
    errors: list[Exception] = []
    async with anyio.create_task_group() as group:

        async def perform() -> None:
            try:
                results.append(await work)
            except Exception as exc:  # noqa: BLE001 - raised below, outside the group
                errors.append(exc)
            group.cancel_scope.cancel()

        async def watch() -> None:
            await hang_up(request.receive)
            group.cancel_scope.cancel()

        group.start_soon(perform)
        group.start_soon(watch)
    if errors:
        raise errors[0]
    if not results:
        raise ClientGoneError
    return results[0]


def core_of(request: Request) -> Core:
    """Return the core of the server that got `request`."""
    core: Core = request.app.state.core
    return core
