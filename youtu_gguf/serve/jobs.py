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
from youtu_gguf.serve.buffer import EventBuffer
from youtu_gguf.serve.errors import ApiError, as_api_error
from youtu_gguf.serve.events import Event, Finished, Piece, Progress, Queued
from youtu_gguf.serve.metrics import Metrics

if TYPE_CHECKING:
    from types import TracebackType

    from youtu_gguf.serve.settings import ServeSettings
    from youtu_gguf.types import Result

LOG = logging.getLogger("youtu_gguf.serve")

T = TypeVar("T")

SEVERAL = "several"
"""The task of a request that ran more than one."""

LONGEST_S = 3600.0
"""Longest `timeout_s`."""


class Job(Generic[T]):
    """One request's work. For the event loop's thread, where nothing else is said.

    Attributes:
        id: Names it in logs and answers.
        client: Whose it is.
        cancel: Set when its result is no longer wanted. Work passes it to what it calls.
        began: When it was started, by `time.perf_counter`.
        queue_s: Seconds that it waited for its turn.
        task: What it did, for figures and the log, as far as `note` was told.
        n_image_tokens: Image tokens that its results are about.
        stage: What it was doing last: "queued", "running", or a stage that the engine reported.
        events: What it has reported and no one has read yet.
        outcome: How it ended, for its reader; the thread may still be on its way out.
    """

    def __init__(
        self, work: Callable[[Job[T]], T], client: str, id_: str, ticket: Ticket, timeout_s: float, metrics: Metrics
    ) -> None:
        self.id, self.client, self.ticket, self.timeout_s = id_, client, ticket, timeout_s
        self.task, self.n_image_tokens, self.stage = "", 0, "queued"
        self.cancel = threading.Event()
        self.began = time.perf_counter()
        self.queue_s = 0.0
        self.events = EventBuffer()
        self.outcome: Finished | ApiError | None = None
        self._metrics = metrics
        self._has_spoken = False
        self._work = work
        self._loop = asyncio.get_running_loop()

    @property
    def left_s(self) -> float:
        """Seconds until its `timeout_s` have passed, at least 0. In any thread."""
        return max(0.0, self.began + self.timeout_s - time.perf_counter())

    def emit(self, event: Event) -> None:
        """Report `event`. In any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one listens
            self._loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: Event) -> None:
        match event:
            case Progress():
                self.stage = event.stage
            case Piece() if not self._has_spoken:
                self._has_spoken = True
                self._metrics.spoke(time.perf_counter() - self.began)
        self.events.put(event)

    def note(self, task: str, value: Result) -> None:
        """Note that `task` gave a value, for figures and the log. In the thread of the work."""
        self.task = task if self.task in ("", task) else SEVERAL
        self.n_image_tokens += value.timings.n_image_tokens

    def perform(self) -> T:
        """Do the work, in this thread."""
        return self._work(self)

    def end(self, outcome: Finished | ApiError) -> None:
        """Tell its reader how it ended. The first outcome counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.events.close()
            self.ticket.changed.set()

    def stop(self, error: ApiError) -> None:
        """End it with `error`, at once for its reader, and as soon as the work looks at `cancel` for its thread."""
        if self.outcome is None:
            self.unwant()
            self.end(error)

    def unwant(self) -> None:
        """Set `cancel`, and count that."""
        if not self.cancel.is_set():
            self._metrics.cancelled(self.stage)
            self.cancel.set()


class JobEvents(AsyncGenerator[Event, None]):
    """What happens to a job, the last being `Finished(-1, result)`. Closing it cancels the job, at any time."""

    def __init__(self, job: Job[T]) -> None:
        self.job = job
        self._ended = False

    async def asend(self, value: None) -> Event:  # noqa: ARG002 - of the protocol
        """Return the next event.

        Raises:
            ApiError: The job ended with it.
        """
        if self._ended:
            raise StopAsyncIteration
        event = await self.job.events.next()
        if event is not None:
            return event
        self._ended = True
        assert self.job.outcome is not None
        if isinstance(self.job.outcome, ApiError):
            raise self.job.outcome
        return self.job.outcome

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,  # noqa: ARG002 - of the protocol
    ) -> Event:
        """Cancel the job, and raise what is given."""
        self.close()
        raise (val if isinstance(val, BaseException) else typ)

    async def aclose(self) -> None:
        """Cancel the job, unless it has ended."""
        self.close()

    def close(self) -> None:
        """Cancel the job, unless it has ended. Safe to call twice."""
        self._ended = True
        self.job.stop(cancelled())


class Jobs:
    """All requests in progress. For the event loop's thread, but for what `Job` says otherwise.

    Attributes:
        metrics: Figures of them.
        admission: Who is next.
        draining: Whether no more are taken.
        at_drain: Called when that begins.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.admission = Admission(settings.n_answers, settings.max_waiting)
        self.draining = False
        self.at_drain: list[Callable[[], None]] = []
        self._drivers: dict[Job[object], asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(settings.n_answers, "youtu-gguf request")

    def start(
        self,
        work: Callable[[Job[T]], T],
        *,
        client: str,
        id_: str | None = None,
        background: bool = False,
        timeout_s: float = LONGEST_S,
    ) -> JobEvents:
        """Take a place in the queue now; return what happens from then on, the last being `Finished(-1, result)`.

        The work is done whether the events are read or not. Closing the iterator cancels it. The place is given up when
        the thread has ended.

        Args:
            work: Called in a thread with the job; what it raises ends the iterator with an `ApiError`.
            client: Whose place it is.
            id_: Id of the request.
            background: Whether it gives way to all others.
            timeout_s: Longest wait in the queue. Work may ask how much of it is left.

        Raises:
            ApiError: The queue is full, or the server is stopping.
        """
        if self.draining:
            raise _draining()
        ticket = self.admission.join(client, background=background)
        job = Job(work, client, id_ or f"req_{uuid.uuid4().hex}", ticket, timeout_s, self.metrics)
        driver = asyncio.get_running_loop().create_task(self._drive(job), name=job.id)
        self._drivers[job] = driver  # type: ignore[index]  # whatever its result is
        return JobEvents(job)

    async def _drive(self, job: Job[T]) -> None:
        """Wait for the turn of a job and do its work; give up its place when its thread has ended."""
        service_s = None
        try:
            await _turn(job, self.admission)
            job.queue_s = time.perf_counter() - job.began
            if job.outcome is None:
                job.stage = "running"
                self.metrics.admitted(job.queue_s)
                value = await asyncio.get_running_loop().run_in_executor(self._pool, job.perform)
                job.end(Finished(-1, value))
                if not job.cancel.is_set():
                    total_s = time.perf_counter() - job.began
                    service_s = total_s - job.queue_s
                    self.metrics.ended(job.task, total_s)
        except Exception as exc:  # noqa: BLE001 - whatever ends the work is the answer to its request
            job.end(_logged(exc, job.id))
        finally:
            if job.outcome is None:  # the loop itself ends
                job.stop(as_api_error(RuntimeError()))
            self._drivers.pop(job, None)  # type: ignore[arg-type]
            self.admission.leave(job.ticket, service_s)

    async def run(
        self, work: Callable[[Job[T]], T], *, client: str, id_: str | None = None, timeout_s: float = LONGEST_S
    ) -> T:
        """Return what `work` returns; see `start`. Cancelling this coroutine cancels the work."""
        return await result_of(self.start(work, client=client, id_=id_, timeout_s=timeout_s))  # type: ignore[return-value]

    def cancel(self, id_: str) -> bool:
        """Cancel the request with this id; return whether there is one.

        One that waits ends with an error, one that is being answered with what there is.
        """
        found = [job for job in self._drivers if job.id == id_]
        for job in found:
            if job.ticket.admitted:
                job.unwant()
            else:
                job.stop(cancelled())
        return bool(found)

    async def drain(self, seconds: float) -> None:
        """Take no more requests; end those that wait, and work in the background, which no client waits for.

        The others are ended too where they take longer than `seconds`.
        """
        self.draining = True
        for function in tuple(self.at_drain):
            function()
        for job in list(self._drivers):
            if not job.ticket.admitted or job.ticket.background:
                job.stop(_draining())
        if self._drivers:
            await asyncio.wait(list(self._drivers.values()), timeout=seconds)
        for job in list(self._drivers):
            job.stop(_draining())

    def close(self) -> None:
        """Wait for the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


async def result_of(events: JobEvents) -> object:
    """Return what the work of a job returned. Cancelling this coroutine cancels the work.

    Raises:
        ApiError: The job ended with it.
    """
    async with contextlib.aclosing(events):
        async for event in events:
            if isinstance(event, Finished) and event.index == -1:
                return event.value
    raise AssertionError("a job ends with its result or an error")


def cancelled() -> ApiError:
    """Return the end of a request that its client does not want any more."""
    return ApiError(499, "cancelled", "the request was cancelled.")


def _draining() -> ApiError:
    return ApiError(503, "draining", "the server is stopping. Ask again when it is back.", retry_after_s=5)


async def _turn(job: Job[T], admission: Admission) -> None:
    """Wait for the turn or the end of a job; report its place each time that changes.

    Raises:
        ApiError: Its time has passed.
    """
    ticket = job.ticket
    while not ticket.admitted and job.outcome is None:
        job.events.put(Queued(ticket.position, admission.eta_s(ticket)))
        ticket.changed.clear()
        try:
            async with asyncio.timeout(job.left_s):
                await ticket.changed.wait()
        except TimeoutError:
            if not ticket.admitted:
                message = f"the request waited for {job.timeout_s:g} s. Raise timeout_s, or ask again later."
                raise ApiError(504, "timeout", message) from None


def _logged(error: Exception, id_: str) -> ApiError:
    """Return the answer to a request that `error` ended; the log has what the answer does not say."""
    answer = as_api_error(error)
    if answer.code == "internal":
        LOG.error("%s failed", id_, exc_info=error)
    return answer
