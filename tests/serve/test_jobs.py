"""Work in threads: its events, its end, and its place."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.serve.buffer import MERGED_FROM
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.events import Event, Finished, Piece, Queued
from youtu_gguf.serve.jobs import Job, JobEvents, Jobs
from youtu_gguf.serve.settings import ServeSettings

SOON_S = 5.0
"""Longest wait for what happens at once."""


@asynccontextmanager
async def open_jobs(n_answers: int = 1, max_waiting: int = 32) -> AsyncIterator[Jobs]:
    """Give jobs, none of which is left at the end."""
    jobs = Jobs(ServeSettings(n_answers=n_answers, max_waiting=max_waiting))
    yield jobs
    await until(lambda: jobs.admission.n_running == jobs.admission.n_waiting == 0)
    await asyncio.to_thread(jobs.close)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.001)


async def read(events: JobEvents) -> list[Event]:
    return [event async for event in events]


def wait_for_cancel(job: Job[str]) -> str:
    assert job.cancel.wait(SOON_S)
    return "cancelled"


def in_a_loop(function: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    def test(**fixtures: Any) -> None:
        asyncio.run(function(**fixtures))

    test.__name__ = function.__name__
    test.__signature__ = __import__("inspect").signature(function)  # type: ignore[attr-defined]
    return test


@in_a_loop
async def test_events_come_in_order_and_the_result_is_the_last() -> None:
    def work(job: Job[str]) -> str:
        for n in range(MERGED_FROM // 2):
            job.emit(Piece(0, str(n)))
        return "done"

    async with open_jobs() as jobs:
        *pieces, last = await read(jobs.start(work, client="a"))
    assert pieces == [Piece(0, str(n)) for n in range(MERGED_FROM // 2)]
    assert isinstance(last, Finished)
    assert (last.index, last.value) == (-1, "done")


@in_a_loop
async def test_work_is_done_in_a_thread_while_the_loop_goes_on() -> None:
    async with open_jobs() as jobs:
        started = jobs.start(lambda _job: threading.current_thread().name, client="a")
        assert (await read(started))[-1].value.startswith("youtu-gguf request")  # type: ignore[union-attr]


@in_a_loop
async def test_a_job_that_no_one_reads_is_done_and_gives_up_its_place() -> None:
    done = threading.Event()
    async with open_jobs() as jobs:
        jobs.start(lambda _job: done.set(), client="a")
        assert await jobs.run(lambda _job: "next", client="b") == "next"
    assert done.is_set()


@in_a_loop
async def test_closing_before_the_first_event_cancels() -> None:
    async with open_jobs() as jobs:
        running, waiting = (jobs.start(wait_for_cancel, client="a") for _ in range(2))
        await until(lambda: jobs.admission.n_running == 1)
        await waiting.aclose()
        await running.aclose()
        await until(lambda: jobs.admission.n_running == jobs.admission.n_waiting == 0)


@in_a_loop
async def test_a_job_that_waits_reports_its_place_and_is_cancelled_at_once() -> None:
    async with open_jobs() as jobs:
        running = jobs.start(wait_for_cancel, client="a")
        waiting = jobs.start(wait_for_cancel, client="a", id_="second")
        assert await anext(waiting) == Queued(1, 1.0)
        began = time.perf_counter()
        assert jobs.cancel("second")
        with pytest.raises(ApiError, match="cancelled") as ended:
            await anext(waiting)
        assert time.perf_counter() - began < 0.1
        await until(lambda: jobs.admission.n_waiting == 0)
        await running.aclose()
    assert (ended.value.status, ended.value.code) == (499, "cancelled")
    assert not jobs.cancel("second")


@in_a_loop
async def test_cancelling_by_id_leaves_a_running_job_its_result() -> None:
    async with open_jobs() as jobs:
        events = jobs.start(wait_for_cancel, client="a", id_="one")
        await until(lambda: jobs.admission.n_running == 1)
        assert jobs.cancel("one")
        assert (await read(events))[-1].value == "cancelled"  # type: ignore[union-attr]


@in_a_loop
async def test_the_place_is_given_up_when_the_thread_has_ended() -> None:
    begun, leave = threading.Event(), threading.Event()

    def slow(_job: Job[None]) -> None:
        begun.set()
        leave.wait(SOON_S)

    async with open_jobs() as jobs:
        events = jobs.start(slow, client="a")
        await until(begun.is_set)
        await events.aclose()
        following = asyncio.ensure_future(jobs.run(lambda _job: 1, client="a"))
        await asyncio.sleep(0.05)
        assert not following.done()
        leave.set()
        assert await following == 1


@in_a_loop
async def test_cancelling_the_coroutine_cancels_the_work() -> None:
    begun, seen = threading.Event(), threading.Event()

    def work(job: Job[None]) -> None:
        begun.set()
        if job.cancel.wait(SOON_S):
            seen.set()

    async with open_jobs() as jobs:
        task = asyncio.ensure_future(jobs.run(work, client="a"))
        await until(begun.is_set)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(seen.is_set)


@in_a_loop
async def test_a_job_waits_no_longer_than_its_time() -> None:
    async with open_jobs() as jobs:
        running = jobs.start(wait_for_cancel, client="a")
        with pytest.raises(ApiError, match=r"waited for 0\.05 s") as ended:
            await jobs.run(wait_for_cancel, client="a", timeout_s=0.05)
        assert (ended.value.status, ended.value.code) == (504, "timeout")
        await until(lambda: jobs.admission.n_waiting == 0)
        await running.aclose()


@in_a_loop
async def test_work_can_ask_how_much_time_is_left() -> None:
    async with open_jobs() as jobs:
        assert 59 < await jobs.run(lambda job: job.left_s, client="a", timeout_s=60) < 60
        assert await jobs.run(lambda job: job.timeout_s, client="a", timeout_s=7) == 7


@in_a_loop
async def test_errors_of_the_work_are_answers() -> None:
    def fail(_job: Job[None]) -> None:
        raise yg.InputError("n must be 1; got 2.")

    def cancel(_job: Job[None]) -> None:
        raise yg.CancelledError("cancelled")

    async with open_jobs() as jobs:
        with pytest.raises(ApiError, match="n must be 1") as refused:
            await jobs.run(fail, client="a")
        with pytest.raises(ApiError) as ended:
            await jobs.run(cancel, client="a")
    assert (refused.value.status, ended.value.status, ended.value.code) == (400, 499, "cancelled")


def test_an_unexpected_error_is_logged_and_says_nothing_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_job: Job[None]) -> None:
        raise OSError("/home/someone/secret")

    async def run() -> ApiError:
        async with open_jobs() as jobs:
            with pytest.raises(ApiError) as ended:
                await jobs.run(fail, client="a", id_="req_1")
        return ended.value

    answer = asyncio.run(run())
    assert (answer.status, answer.code) == (500, "internal")
    assert "secret" not in str(answer)
    assert "req_1 failed" in caplog.text
    assert "secret" in caplog.text


@in_a_loop
async def test_draining_ends_those_that_wait_at_once_and_lets_the_others_end() -> None:
    leave = threading.Event()
    async with open_jobs() as jobs:
        running = jobs.start(lambda _job: leave.wait(SOON_S), client="a")
        waiting = jobs.start(wait_for_cancel, client="a")
        await until(lambda: jobs.admission.n_running == 1)
        draining = asyncio.ensure_future(jobs.drain(SOON_S))
        with pytest.raises(ApiError) as ended:
            await read(waiting)
        with pytest.raises(ApiError) as refused:
            jobs.start(wait_for_cancel, client="a")
        leave.set()
        assert (await read(running))[-1].value is True  # type: ignore[union-attr]
        await draining
    assert (ended.value.code, refused.value.code, refused.value.status) == ("draining", "draining", 503)


@in_a_loop
async def test_what_does_not_end_while_draining_ends_with_an_error_after_what_it_said() -> None:
    def work(job: Job[str]) -> str:
        job.emit(Piece(0, "so far"))
        return wait_for_cancel(job)

    async with open_jobs() as jobs:
        events = jobs.start(work, client="a")
        await until(lambda: len(events.job.events) == 1)
        await jobs.drain(0.05)
        assert await anext(events) == Piece(0, "so far")
        with pytest.raises(ApiError, match="stopping") as ended:
            await anext(events)
        with pytest.raises(StopAsyncIteration):
            await anext(events)
    assert ended.value.status == 503


def test_a_thread_that_outlives_the_loop_reports_to_no_one() -> None:
    begun, leave, left = threading.Event(), threading.Event(), threading.Event()

    def work(job: Job[None]) -> None:
        begun.set()
        leave.wait(SOON_S)
        job.emit(Piece(0, "late"))
        left.set()

    async def abandon() -> Jobs:
        jobs = Jobs(ServeSettings())
        jobs.start(work, client="a")
        await until(begun.is_set)
        return jobs

    jobs = asyncio.run(abandon())
    leave.set()
    jobs.close()
    assert left.is_set()


@in_a_loop
async def test_a_reader_who_sleeps_does_not_stop_the_work_and_loses_no_text() -> None:
    def work(job: Job[int]) -> int:
        for n in range(5_000):
            job.emit(Piece(0, f"{n} "))
        return 5_000

    async with open_jobs() as jobs:
        events = jobs.start(work, client="a")
        await until(lambda: events.job.outcome is not None)
        assert len(events.job.events) <= MERGED_FROM
        pieces = [event.text for event in await read(events) if isinstance(event, Piece)]
    assert "".join(pieces).split() == [str(n) for n in range(5_000)]


@in_a_loop
async def test_there_are_never_more_threads_at_work_than_answers_whatever_clients_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    lock = threading.Lock()
    now, most = 0, 0

    def work(job: Job[int]) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        for n in range(3):
            job.emit(Piece(0, str(n)))
            if job.cancel.wait(0.001):
                break
        with lock:
            now -= 1
        return 3

    async def client(jobs: Jobs, number: int, chance: random.Random) -> str:
        try:
            events = jobs.start(work, client=str(number % 5), id_=str(number), timeout_s=chance.choice((0.01, 5)))
        except ApiError as exc:
            return exc.code
        kind = chance.choice(("read", "read", "close", "leave", "cancel", "first"))
        try:
            if kind == "read":
                text = "".join(event.text for event in await read(events) if isinstance(event, Piece))
                return "read" if text == "012" else text
            if kind == "first":
                await anext(events)
            if kind == "cancel":
                await asyncio.sleep(chance.random() * 0.02)
                jobs.cancel(str(number))
            if kind in ("first", "close"):
                await events.aclose()
        except ApiError as exc:
            return exc.code
        return kind

    async with open_jobs(n_answers=3, max_waiting=20) as jobs:
        chance = random.Random(1)
        outcomes = []
        for _ in range(12):
            ends = await asyncio.gather(*(client(jobs, n, chance) for n in range(40)))
            outcomes += ends
    assert set(outcomes) <= {"read", "close", "leave", "cancel", "first", "timeout", "queue_full", "cancelled"}
    assert outcomes.count("read") > 20
    assert (now, most) == (0, 3)
    assert caplog.text == ""
