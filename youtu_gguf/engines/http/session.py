"""Questions put to a server over HTTP: a call per answer, any number at a time, and one place where they arrive."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any, Protocol

from youtu_gguf.backoff import Backoff
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import PatchStates, Piece, Prefix, PrefixCost, Request, no_states
from youtu_gguf.engines.http.chat import Reply, image_url, request_body
from youtu_gguf.engines.http.transport import Address, Hangup, RefusedError, stream_events
from youtu_gguf.errors import CapabilityError, EngineError, InputError, ServerError, YoutuError
from youtu_gguf.types import Finish, ProgressFn

TICK_S = 0.05
"""How often the caller's wish to stop and the clock are looked at while nothing arrives."""

PATH = "/chat/completions"

FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER = 0.25, 10.0, 0.5
"""Pauses between tries, up to half of each left to chance. Our own."""

CONTEXT_EXCEEDED = "exceed_context_size_error"
"""Type of llama-server's error where a prompt does not fit (server-common.cpp)."""

CONTEXT_FULL = ("Context size has been exceeded", "failed to process mtmd chunk")
"""What llama-server says when answers together have filled the context: to all of them, or to one whose image finds no
room (server-context.cpp)."""


class Host(Protocol):
    """Where calls go."""

    @property
    def name(self) -> str:
        """Name of the engine, for messages."""
        ...

    @property
    def model(self) -> str:
        """Name of the model there."""
        ...

    @property
    def n_slots(self) -> int:
        """Calls to make at once."""
        ...

    @property
    def connect_s(self) -> float:
        """Longest wait for a connection."""
        ...

    @property
    def stall_s(self) -> float:
        """Longest silence."""
        ...

    @property
    def progress(self) -> ProgressFn:
        """Told of prefilling and generating."""
        ...

    def using(self, hangup: Hangup) -> AbstractContextManager[Address]:
        """Give the address once the server is ready, and count as one of its users until left.

        Raises:
            EngineError: It will not be ready.
        """
        ...

    @property
    def retries(self) -> int:
        """How often a call is made again."""
        ...

    def may_retry(self, error: ServerError) -> bool:
        """Say whether a call that failed with `error` before its first word is worth another try."""
        ...

    def forget(self, session: HttpSession) -> None:
        """Note that a session was closed."""
        ...


Heard = dict[str, Any] | YoutuError | BaseException | None
"""What a call hears: an event, the error that ended it, or None at its end."""


class Call:
    """One answer on its way, read by a thread of its own."""

    def __init__(self, host: Host, number: int, session: HttpSession, request: Request, news: News) -> None:
        self.number, self.request = number, request
        self.reply = Reply(session.prefix, request.question, request.sampling)
        self._host, self._session, self._news = host, session, news
        self._hangup = Hangup()
        self.deadline = time.monotonic() + request.sampling.max_s
        self._thread = threading.Thread(target=self._run, name=f"youtu-gguf {host.name}", daemon=True)
        self._thread.start()

    def interrupted(self) -> Finish | None:
        """Say whether the caller or the clock ends the answer here."""
        if self.request.cancel is not None and self.request.cancel.is_set():
            return "cancelled"
        return "time" if time.monotonic() >= self.deadline else None

    def hang_up(self) -> None:
        """End the call."""
        self._hangup.hang_up()

    def _run(self) -> None:
        end: Heard = None
        try:
            for event in self._events():
                self._news.put((self, event))
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that waits
            end = exc
        self._news.put((self, end))

    def _events(self) -> Iterator[dict[str, Any]]:
        """Yield the answer's events; start again where that may help and nothing has come yet."""
        body = self._session.body(self.request, self._host.model)
        backoff = Backoff(
            FIRST_PAUSE_S, LONGEST_PAUSE_S, self._hangup.gone.wait, retries=self._host.retries, jitter=JITTER
        )
        started = False
        while not self._hangup.gone.is_set():
            try:
                with self._host.using(self._hangup) as address:
                    limits = {"connect_s": self._host.connect_s, "stall_s": self._host.stall_s}
                    for event in stream_events(address, PATH, body, self._hangup, **limits):
                        started = True
                        yield event
                    return
            except ServerError as exc:
                asked = exc.after_s if isinstance(exc, RefusedError) else 0.0
                if started or not self._host.may_retry(exc) or not backoff.pause(asked):
                    raise


News = queue.SimpleQueue[tuple[Call, Heard]]


class HttpParallelGeneration:
    """Several answers on one image, a call each. See `engines.base.ParallelGeneration`."""

    def __init__(self, host: Host, session: HttpSession) -> None:
        self._host, self._session = host, session
        self._waiting: list[tuple[int, Request]] = []
        self._active: dict[Call, int] = {}
        self._news: News = queue.SimpleQueue()
        self._count = 0

    def add(self, request: Request) -> int:
        """Queue a question; it is sent with the next step at which a call may be made."""
        self._waiting.append((self._count, request))
        self._count += 1
        return self._count - 1

    def step(self) -> Sequence[tuple[int, Piece | YoutuError]]:
        """Wait for the next pieces of any answer."""
        while True:
            if self._session.closed:
                return self._ended_by_closing()
            while self._waiting and len(self._active) < self._host.n_slots:
                number, request = self._waiting.pop(0)
                self._active[Call(self._host, number, self._session, request, self._news)] = number
            if not self._active:
                return ()
            wrote = self._interrupted() or self._heard()
            if wrote:
                return wrote

    def _ended_by_closing(self) -> list[tuple[int, Piece | YoutuError]]:
        numbers = [self._drop(call) for call in list(self._active)] + [number for number, _ in self._waiting]
        self._waiting.clear()
        closed = EngineError("this scene was closed while it was being asked. Open the image again.")
        return [(number, closed) for number in numbers]

    def _interrupted(self) -> list[tuple[int, Piece | YoutuError]]:
        ended = [(call, finish) for call in self._active if (finish := call.interrupted()) is not None]
        return [(self._drop(call), call.reply.end(finish)) for call, finish in ended]

    def _heard(self) -> list[tuple[int, Piece | YoutuError]]:
        try:
            call, heard = self._news.get(timeout=TICK_S)
        except queue.Empty:
            return []
        if call not in self._active:  # it was hung up on
            return []
        try:
            return self._take(call, heard)
        except YoutuError as exc:
            return [(self._drop(call), exc)]

    def _take(self, call: Call, heard: Heard) -> list[tuple[int, Piece | YoutuError]]:
        if isinstance(heard, dict):
            wrote: list[tuple[int, Piece | YoutuError]] = [(call.number, piece) for piece in call.reply.read(heard)]
            if call.reply.looped:
                wrote.append((self._drop(call), call.reply.end()))
            elif call.reply.progress is not None and not wrote:
                self._host.progress("prefill", *call.reply.progress)
            return wrote
        if heard is not None and not (isinstance(heard, ServerError) and call.reply.ended):
            raise self._session.explain(heard)
        end = call.reply.end()
        return [(self._drop(call), end)]

    def _drop(self, call: Call) -> int:
        call.hang_up()
        return self._active.pop(call)

    def close(self) -> None:
        """Hang up on what is unfinished."""
        self._waiting.clear()
        for call in list(self._active):
            self._drop(call)


class HttpSession:
    """One image on a server. It is sent with every question; the server recognises what it has seen.

    See `engines.base.Session`.
    """

    def __init__(self, host: Host, prefix: Prefix) -> None:
        self._host, self._prefix = host, prefix
        self._url: str | None = None
        self.closed = False

    @property
    def prefix(self) -> Prefix:
        """What the session was opened with."""
        return self._prefix

    @property
    def cost(self) -> PrefixCost:
        """Nothing: what a server spends on the image is part of its answers' time."""
        return PrefixCost()

    def body(self, request: Request, model: str) -> dict[str, Any]:
        """Return what is sent to ask `request`."""
        if self._url is None:
            self._url = image_url(self._prefix.image)
        return request_body(self._prefix, self._url, request.question, request.sampling, model)

    def explain(self, error: BaseException) -> BaseException:
        """Return `error` as the caller should see it."""
        if isinstance(error, RefusedError) and error.kind == CONTEXT_EXCEEDED:
            return InputError(
                f"the question and the image do not fit: {error.words} Raise n_ctx or lower image_max_tokens."
            )
        if isinstance(error, RefusedError) and any(words in error.words for words in CONTEXT_FULL):
            return ServerError(
                f"up to {self._host.n_slots} answers at a time, each with its image, have filled the context that they "
                f"share; the server says: {error.words.rstrip('.')}. "
                "Ask again, with a lower n_slots or a higher n_ctx.",
                retry=True,
            )
        return error

    def patches(self, *, aside: bool = False) -> PatchStates:  # noqa: ARG002
        """Refuse: no server gives the states of image tokens.

        Raises:
            CapabilityError: Always.
        """
        raise CapabilityError(no_states("this", self._host.name))

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        """Answer `question`; see `engines.base.Session.generate`.

        Raises:
            EngineError: The server cannot be reached, or failed.
        """
        with closing(self.parallel()) as parallel:
            parallel.add(Request(question, sampling, cancel))
            n_generated = 0
            while wrote := parallel.step():
                for _, piece in wrote:
                    if isinstance(piece, YoutuError):
                        raise piece
                    yield piece
                    n_generated += piece.n_tokens
                self._host.progress("generate", n_generated, sampling.max_tokens)

    def parallel(self) -> HttpParallelGeneration:
        """Return a way to answer several questions at once.

        Raises:
            EngineError: The session is closed.
        """
        if self.closed:
            raise EngineError("this scene is closed. Open the image again.")
        return HttpParallelGeneration(self._host, self)

    def close(self) -> None:
        """Forget the image. The server keeps what it likes."""
        if not self.closed:
            self.closed = True
            self._url = None
            self._host.forget(self)
