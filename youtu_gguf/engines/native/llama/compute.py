"""Which thread computes on processors: one for all decodes of a model, whichever thread asks for them.

llama.cpp computes with OpenMP. Each thread that calls it has a team of threads of its own there, which lives as long as
that thread. As soon as all teams together have more threads than there are processors, libgomp lets none of them spin
at barriers, and many small steps take half as long again: eight threads that ask a small model then get 0.6 times the
tokens per second of one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from youtu_gguf.engines.native.llama.bindings import lib

OMP_PAUSE_SOFT = 1
"""Of enum omp_pause_resource_t in omp.h: what is paused starts again when it is needed."""

_here = threading.local()


def computes_here() -> bool:
    """Whether this is a thread that only computes. A thread that holds a lock waits for it, so it must take none."""
    return getattr(_here, "computes", False)


def release_team() -> None:
    """End the threads that OpenMP keeps for this thread, which has computed and may not do so again soon."""
    pause = _pause()
    if pause is not None:
        pause(OMP_PAUSE_SOFT)


@cache
def _pause() -> Any:
    """Return the function of the OpenMP that llama.cpp was linked with; None if it has none."""
    return getattr(lib._lib, "omp_pause_resource_all", None)


class _Call:
    """A function to call, and the gate that opens when it has returned."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments
        self.gate = threading.Lock()
        self.gate.acquire()
        self.ended = False
        self.result: Any = None
        self.raised: BaseException | None = None


class ComputeThread:
    """A thread that calls functions of llama.cpp for others, one at a time. It ends when it is closed."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=_serve, args=(self._calls,), name="youtu-gguf decode", daemon=True)
        self._thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `function` returns. What the handlers of signals raise meanwhile is raised when it has ended."""
        call = _Call(function, arguments)
        self._calls.put(call)
        while not call.ended:
            try:
                call.gate.acquire()
            except BaseException as exc:  # noqa: BLE001 - llama.cpp is still at work: nothing may go on before it ends
                call.raised = exc
        if call.raised is not None:
            raise call.raised
        return call.result

    def close(self) -> None:
        """End the thread. Safe to call twice."""
        self._calls.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join()


def _serve(calls: queue.SimpleQueue[_Call | None]) -> None:
    _here.computes = True
    while (call := calls.get()) is not None:
        try:
            call.result = call.function(*call.arguments)
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that called
            call.raised = exc
        call.ended = True
        call.gate.release()
        del call
