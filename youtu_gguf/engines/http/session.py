"""Questions to a server over HTTP: one call per answer, any number at a time, and one queue where events arrive."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from youtu_gguf.backoff import Backoff
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import PatchStates, Piece, PrefixCost, Request, no_states, stream_answer
from youtu_gguf.engines.http.chat import Reply, image_url, request_body
from youtu_gguf.engines.http.explain import Asked, explained, is_refused
from youtu_gguf.engines.http.refusals import read_overflow
from youtu_gguf.engines.http.room import prompt_tokens, room_for_answer
from youtu_gguf.engines.http.served import Served
from youtu_gguf.engines.http.transport import Address, Hangup, RefusedError, stream_events
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CapabilityError, EngineError, ServerError, YoutuError
from youtu_gguf.forks import Owner
from youtu_gguf.prompts import as_words
from youtu_gguf.types import Finish, PreparedImage, ProgressFn, no_progress

TICK_S = 0.05
"""How often cancellation and the time limit are checked while nothing arrives."""

PATH = "/chat/completions"

FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER = 0.25, 10.0, 0.5
"""Pauses between tries; up to half of each is random. Our own choice."""

SHORTENED = 2
"""How often a question is sent again with a smaller `max_tokens`, after a server has refused a larger one."""


class Host(Asked, Protocol):
    """The engine that makes the calls."""

    @property
    def control_tokens(self) -> Collection[str]:
        """Control tokens of the model, as far as they are known."""
        ...

    def served(self, address: Address) -> Served:
        """Return what is known of the model there; ask the server if that has not been done.

        Raises:
            EngineError: The server cannot be reached, or cannot be used.
        """
        ...

    def learn_context(self, n_context: int) -> None:
        """Note how many tokens the prompt and the answer may have together."""
        ...

    @property
    def connect_s(self) -> float:
        """Longest wait for a connection."""
        ...

    @property
    def stall_s(self) -> float:
        """Longest silence of the server during an answer."""
        ...

    @property
    def progress(self) -> ProgressFn:
        """Called while prefilling and generating."""
        ...

    def using(self, hangup: Hangup) -> AbstractContextManager[Address]:
        """Give the address once the server is ready, and count as one of its users until left.

        Raises:
            EngineError: The server will not be ready.
        """
        ...

    @property
    def retries(self) -> int:
        """How often a call is repeated."""
        ...

    def may_retry(self, error: ServerError) -> bool:
        """Return whether a call that failed with `error` before its first event is worth another try."""
        ...

    def forget(self, session: HttpSession) -> None:
        """Note that a session was closed."""
        ...


Received = dict[str, Any] | YoutuError | BaseException | None
"""What a call receives: an event, the error that ended it, or None at its end."""


class Call:
    """One answer in progress, read by its own thread."""

    def __init__(self, host: Host, number: int, session: HttpSession, request: Request, news: News) -> None:
        request = replace(request, question=as_words(request.question, host.control_tokens))
        self.number, self.request = number, request
        self.reply = Reply(session.sent, request.question, request.sampling)
        self._host, self._session, self._news = host, session, news
        self._hangup = Hangup()
        self._max_tokens = request.sampling.max_tokens
        self.deadline = time.monotonic() + request.sampling.max_s
        self._thread = threading.Thread(target=self._run, name=f"youtu-gguf {host.name}", daemon=True)
        self._thread.start()

    def interrupted(self) -> Finish | None:
        """Return whether the caller or the time limit ends the answer here."""
        if self.request.cancel is not None and self.request.cancel.is_set():
            return "cancelled"
        return "time" if time.monotonic() >= self.deadline else None

    def hang_up(self) -> None:
        """End the call."""
        self._hangup.hang_up()

    def _run(self) -> None:
        end: Received = None
        try:
            for event in self._events():
                self._news.put((self, event))
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            end = explained(exc, self._session.prefix, self._host)
        self._news.put((self, end))

    def _events(self) -> Iterator[dict[str, Any]]:
        """Yield the answer's events; repeat the request where that may help and no event has come yet."""
        backoff = Backoff(
            FIRST_PAUSE_S, LONGEST_PAUSE_S, self._hangup.gone.wait, retries=self._host.retries, jitter=JITTER
        )
        started, refused = False, 0
        while not self._hangup.gone.is_set():
            try:
                with self._host.using(self._hangup) as address:
                    for event in self._ask(address):
                        started = True
                        yield event
                    return
            except ServerError as exc:
                if not started and refused < SHORTENED and self._shorten(exc):
                    refused += 1
                    continue
                asked = exc.after_s if isinstance(exc, RefusedError) else 0.0
                if started or not self._host.may_retry(exc) or not backoff.pause(asked):
                    raise

    def _ask(self, address: Address) -> Iterator[dict[str, Any]]:
        """Send the question, with no more tokens for the answer than the server is known to have room for."""
        served = self._host.served(address)
        if served.n_context is not None:
            prompt = prompt_tokens(self._session.sent, self.request.question)
            self._max_tokens = min(self._max_tokens, room_for_answer(served.n_context, prompt))
        body = self._session.body(self.request, served, self._max_tokens)
        limits = {"connect_s": self._host.connect_s, "stall_s": self._host.stall_s}
        return stream_events(address, PATH, body, self._hangup, **limits)

    def _shorten(self, error: ServerError) -> bool:
        """Lower the limit of the answer if it was too high for the server; return whether it was."""
        overflow = read_overflow(error.words) if isinstance(error, RefusedError) and is_refused(error) else None
        if overflow is None:
            return False
        self._host.learn_context(overflow.n_context)
        if overflow.n_prompt is None:
            room = room_for_answer(overflow.n_context, prompt_tokens(self._session.sent, self.request.question))
        else:
            room = overflow.n_context - overflow.n_prompt
        shorter = 0 < room < self._max_tokens
        self._max_tokens = room if shorter else self._max_tokens
        return shorter


News = queue.SimpleQueue[tuple[Call, Received]]


class HttpParallelGeneration:
    """Several answers about one image, one call each. See `engines.base.ParallelGeneration`."""

    def __init__(self, host: Host, session: HttpSession) -> None:
        self._host, self._session = host, session
        self._owner = Owner("this answer")
        self._waiting: list[tuple[int, Request]] = []
        self._active: dict[Call, int] = {}
        self._news: News = queue.SimpleQueue()
        self._count = 0

    def add(self, request: Request) -> int:
        """Queue a question; it is sent at the next step with a free slot."""
        self._waiting.append((self._count, request))
        self._count += 1
        return self._count - 1

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Wait for the next pieces of any answer.

        Raises:
            EngineError: This process was forked from the one that asked.
        """
        self._owner.check()
        while True:
            if self._session.closed:
                return self._ended_by_closing()
            while self._waiting and len(self._active) < self._host.n_slots:
                number, request = self._waiting.pop(0)
                self._active[Call(self._host, number, self._session, request, self._news)] = number
            if not self._active:
                return ()
            wrote = self._interrupted() or self._receive()
            if wrote:
                return wrote

    def _ended_by_closing(self) -> list[tuple[int, Piece | YoutuError]]:
        numbers = [self._drop(call) for call in list(self._active)] + [number for number, _ in self._waiting]
        self._waiting.clear()
        closed = EngineError("this scene was closed before the answer was complete. Open the image again.")
        return [(number, closed) for number in numbers]

    def _interrupted(self) -> list[tuple[int, Piece | YoutuError]]:
        ended = [(call, finish) for call in self._active if (finish := call.interrupted()) is not None]
        return [(self._drop(call), call.reply.end(finish)) for call, finish in ended]

    def _receive(self) -> list[tuple[int, Piece | YoutuError]]:
        try:
            call, received = self._news.get(timeout=TICK_S)
        except queue.Empty:
            return []
        if call not in self._active:  # we have hung up on it
            return []
        try:
            return self._take(call, received)
        except YoutuError as exc:
            return [(self._drop(call), exc)]

    def _take(self, call: Call, received: Received) -> list[tuple[int, Piece | YoutuError]]:
        if isinstance(received, dict):
            wrote: list[tuple[int, Piece | YoutuError]] = [(call.number, piece) for piece in call.reply.read(received)]
            if call.reply.cut:
                wrote.append((self._drop(call), call.reply.end()))
            elif wrote:
                self._report(call, "generate", call.reply.n_tokens, call.request.sampling.max_tokens)
            elif call.reply.progress is not None and not call.reply.n_tokens:
                self._report(call, "prefill", *call.reply.progress)
            return wrote
        if received is not None and not (isinstance(received, ServerError) and call.reply.ended):
            raise received
        end = call.reply.end()
        return [(self._drop(call), end)]

    def _report(self, call: Call, stage: str, done: int, total: int) -> None:
        self._host.progress(stage, done, total)
        call.request.progress(stage, done, total)

    def _drop(self, call: Call) -> int:
        call.hang_up()
        return self._active.pop(call)

    def close(self) -> None:
        """Hang up on unfinished answers. Does nothing in a forked process, whose connections are its parent's."""
        if not self._owner.is_here:
            return
        self._waiting.clear()
        for call in list(self._active):
            self._drop(call)


class HttpSession:
    """One prefix on a server. It is sent with every question; the server recognises what it has seen.

    See `engines.base.Session`.

    Attributes:
        sent: The prefix with its texts as they are sent: no control tokens are in them.
        closed: Whether it was closed.
    """

    def __init__(self, host: Host, prefix: Prefix) -> None:
        self._host, self._prefix = host, prefix
        self.sent = prefix.with_texts(lambda text: as_words(text, host.control_tokens))
        self._urls: dict[str, str] = {}
        self.closed = False

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        return self._prefix

    @property
    def cost(self) -> PrefixCost:
        """Zero: the time that a server spends on the image is part of its answers' time."""
        return PrefixCost()

    def body(self, request: Request, served: Served, max_tokens: int) -> dict[str, Any]:
        """Return the JSON that is sent for `request`, with at most `max_tokens` for its answer."""
        return request_body(self.sent, request.question, request.sampling, served, max_tokens, self._url_of)

    def _url_of(self, image: PreparedImage) -> str:
        if image.digest not in self._urls:
            self._urls[image.digest] = image_url(image)
        return self._urls[image.digest]

    def patches(
        self,
        *,
        image: int = 0,  # noqa: ARG002
        aside: bool = False,  # noqa: ARG002
        cancel: threading.Event | None = None,  # noqa: ARG002
        max_s: float = math.inf,  # noqa: ARG002
        progress: ProgressFn = no_progress,  # noqa: ARG002
    ) -> PatchStates:
        """Refuse: no server returns the states of image tokens.

        Raises:
            CapabilityError: Always.
        """
        raise CapabilityError(no_states("this", self._host.name))

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`; see `engines.base.Session.generate`.

        Raises:
            EngineError: The server cannot be reached, or failed.
        """
        return stream_answer(self, Request(question, sampling, cancel))

    def parallel(self) -> HttpParallelGeneration:
        """Return a way to answer several questions at once.

        Raises:
            EngineError: The session is closed.
        """
        if self.closed:
            raise EngineError("this scene is closed. Open the image again.")
        return HttpParallelGeneration(self._host, self)

    def close(self) -> None:
        """Forget the images. What the server keeps is up to the server."""
        if not self.closed:
            self.closed = True
            self._urls.clear()
            self._host.forget(self)
