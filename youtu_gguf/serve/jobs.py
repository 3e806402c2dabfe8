"""Work of requests, in threads: admitted one after the other, cancelled when its client hangs up, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

from youtu_gguf.serve.admission import Admission, Ticket
from youtu_gguf.serve.errors import ApiError, as_api_error
from youtu_gguf.serve.events import Event, Finished, Queued

if TYPE_CHECKING:
    from youtu_gguf.serve.settings import ServeSettings

LOG = logging.getLogger("youtu_gguf.serve")

T = TypeVar("T")

_TIMEOUT_S = 3600.0


class Job(Generic[T]):
    """One request's work.

    Attributes:
        id: Names it in logs and answers.
        client: Whose it is.
        cancel: Set when its result is no longer wanted. Work passes it to what it calls.
        queue_s: Seconds that it waited for its turn.
    """

    def __init__(self, work: Callable[[Job[T]], T], client: str, id_: str) -> None:
        self.id, self.client = id_, client
        self.cancel = threading.Event()
        self.queue_s = 0.0
        self.began = time.perf_counter()
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self.error: ApiError | None = None
        """What ends it early whatever the work does, such as a server that stops."""

    def emit(self, event: Event) -> None:
        """Report `event`, in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one listens
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def next_event(self) -> Event | None:
        """Wait for the next event; None after the last one."""
        return await self._events.get()

    def fail(self, error: ApiError) -> None:
        """End it with `error`. For the event loop's thread."""
        self.error = error
        self.cancel.set()
        self._events.put_nowait(None)

    def close_events(self) -> None:
        """Let `next_event` return None after what was emitted. For the event loop's thread."""
        self._events.put_nowait(None)

    def perform(self) -> T:
        """Do the work, in this thread."""
        return self._work(self)


class Jobs:
    """All requests in progress. For the event loop's thread, but for what `Job` says otherwise."""

    def __init__(self, settings: ServeSettings) -> None:
        self.admission = Admission(settings.n_answers, settings.max_waiting)
        self._jobs: dict[str, Job[object]] = {}
        self._pool = ThreadPoolExecutor(settings.n_answers, "youtu-gguf request")
        self.draining = False

    def start(
        self,
        work: Callable[[Job[T]], T],
        *,
        client: str,
        id_: str | None = None,
        background: bool = False,
        timeout_s: float = _TIMEOUT_S,
    ) -> AsyncGenerator[Event, None]:
        """Take a place in the queue now; return what happens from then on, the last being `Finished(-1, result)`.

        Closing the iterator cancels the work. The place is given up when the thread has ended.

        Args:
            work: Called in a thread with the job; what it raises ends the iterator with an `ApiError`.
            client: Whose place it is.
            id_: Id of the request.
            background: Whether it gives way to all others.
            timeout_s: Longest wait in the queue.

        Raises:
            ApiError: The queue is full, or the server is stopping.
        """
        if self.draining:
            raise ApiError(503, "draining", "the server is stopping. Ask again when it is back.", retry_after_s=5)
        ticket = self.admission.join(client, background=background)
        job = Job(work, client, id_ or f"req_{uuid.uuid4().hex}")
        self._jobs[job.id] = job  # type: ignore[assignment]
        return self._events(job, ticket, timeout_s)

    async def _events(self, job: Job[T], ticket: Ticket, timeout_s: float) -> AsyncGenerator[Event, None]:
        running: asyncio.Future[T] | None = None
        try:
            async with contextlib.aclosing(self._wait(job, ticket, timeout_s)) as waiting:
                async for queued in waiting:
                    yield queued
            job.queue_s = time.perf_counter() - job.began
            running = asyncio.get_running_loop().run_in_executor(self._pool, job.perform)
            running.add_done_callback(lambda _: job.close_events())
            while (event := await job.next_event()) is not None:
                yield event
            if job.error is not None:
                raise job.error
            try:
                value = await running
            except Exception as exc:
                raise _logged(exc, job.id) from exc
            yield Finished(-1, value)
        finally:
            job.cancel.set()
            self._end(job, ticket, running)

    async def _wait(self, job: Job[T], ticket: Ticket, timeout_s: float) -> AsyncGenerator[Queued, None]:
        """Wait for the turn of `ticket`; report its place each time that changes."""
        deadline = job.began + timeout_s
        while not ticket.admitted.done():
            yield Queued(self.admission.position(ticket), self.admission.eta_s(ticket))
            ticket.moved.clear()
            moved = asyncio.ensure_future(ticket.moved.wait())
            stopped = asyncio.ensure_future(job.next_event())
            try:
                left_s = max(0.0, deadline - time.perf_counter())
                await asyncio.wait(
                    (ticket.admitted, moved, stopped), timeout=left_s, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                moved.cancel()
                stopped.cancel()
            if job.error is not None:
                raise job.error
            if time.perf_counter() >= deadline and not ticket.admitted.done():
                raise ApiError(504, "timeout", f"the request waited for {timeout_s:g} s. Raise timeout_s.")

    def _end(self, job: Job[T], ticket: Ticket, running: asyncio.Future[T] | None) -> None:
        """Give up the place of a job, once its thread has ended."""

        def leave(ended: asyncio.Future[T] | None) -> None:
            if ended is not None and not ended.cancelled():
                ended.exception()  # it was raised already, or no one waits for it
            self._jobs.pop(job.id, None)
            service_s = None if ended is None else time.perf_counter() - job.began - job.queue_s
            self.admission.leave(ticket, service_s)

        if running is None or running.done():
            leave(running)
        else:
            running.add_done_callback(leave)

    async def run(
        self, work: Callable[[Job[T]], T], *, client: str, id_: str | None = None, timeout_s: float = _TIMEOUT_S
    ) -> T:
        """Return what `work` returns; see `start`. Cancelling this coroutine cancels the work."""
        events = self.start(work, client=client, id_=id_, timeout_s=timeout_s)
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, Finished) and event.index == -1:
                    return event.value  # type: ignore[return-value]  # that of `work`
        raise AssertionError("a job ends with its result or an error")

    def cancel(self, id_: str) -> bool:
        """Cancel the request with this id; return whether there is one."""
        job = self._jobs.get(id_)
        if job is not None:
            job.cancel.set()
        return job is not None

    async def drain(self, seconds: float) -> None:
        """Take no more requests; let those in progress end for `seconds`, then end them with an error."""
        self.draining = True
        deadline = time.monotonic() + seconds
        while self._jobs and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for job in list(self._jobs.values()):
            job.fail(ApiError(503, "draining", "the server was stopped before the answer ended.", retry_after_s=5))

    def close(self) -> None:
        """Wait for the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _logged(error: Exception, id_: str) -> ApiError:
    """Return the answer to a request that `error` ended; the log has what the answer does not say."""
    answer = as_api_error(error)
    if answer.code == "internal":
        LOG.error("%s failed", id_, exc_info=error)
    return answer
