"""A worker, as it sees itself: it loads the model, and does one image after the other until its parent has no more.

See `worker`, which is its parent's side.
"""

from __future__ import annotations

import _thread
import logging
import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import youtu_gguf as yg
from youtu_gguf import errors
from youtu_gguf.batch.image import ImageWork
from youtu_gguf.batch.messages import Ended, Message, Note, Ready, identity_of, name_of_model
from youtu_gguf.errors import YoutuError

NOTICE_S, GRACE_S = 0.2, 1.0
"""How long a worker without a parent may take to notice that, and to stop what it does."""


def serve() -> None:
    """Be a worker: load the model, do images until stdin ends, and end the process."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - it has a number, no name that matters
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what others print must not come between our messages
    code = 0
    desk = _Desk(requests, replies)
    try:
        desk.run()
    except YoutuError as exc:
        desk.end(exc)
    except KeyboardInterrupt:
        code = 1
    except BaseException:  # noqa: BLE001 - the parent reads it from stderr
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)  # the model is closed, and threads that still wait for it have nothing to wait for


class _Notes(logging.Handler):
    """Hands what is logged to the parent, whose settings say what becomes of it."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__()
        self._tell = send

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(Note(record.name, record.levelno, record.getMessage()))


class _Desk:
    """A worker, as it sees itself."""

    def __init__(self, requests: IO[bytes], replies: IO[bytes]) -> None:
        self._requests, self._replies = requests, replies
        self._sending = threading.Lock()
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._loading = True

    def run(self) -> None:
        """Load the model and do images until no more can come."""
        threading.Thread(target=self._listen, daemon=True).start()
        log = logging.getLogger("youtu_gguf")
        log.propagate = False
        log.addHandler(_Notes(self._send))
        load = self._inbox.get()
        if load is None:
            return
        with load(progress=self._report) as model:
            try:
                n_parallel, self._loading = model.engine.n_parallel, False
                self._send(Ready(identity_of(model), n_parallel, name_of_model(model)))
                self._work_on(model, n_parallel)
            finally:
                self._closing.set()

    def _report(self, stage: str, done: int, total: int) -> None:
        if self._loading:  # later, the bar of images says more
            self._send((stage, done, total))

    def _work_on(self, model: yg.Model, n_parallel: int) -> None:
        work: ImageWork | None = None
        pool = ThreadPoolExecutor(n_parallel, "youtu-gguf batch") if n_parallel > 1 else None
        for asked in iter(self._inbox.get, None):
            if not isinstance(asked, Path):
                work = asked
            elif work is not None and pool is not None:
                pool.submit(self._do, work, model, asked)
            elif work is not None:
                self._do(work, model, asked)

    def _do(self, work: ImageWork, model: yg.Model, path: Path) -> None:
        try:
            self._send(work.do(model, path))
        except YoutuError as exc:
            self.end(exc)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - in a thread of a pool nobody would see it
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    def _listen(self) -> None:
        try:
            while True:
                self._inbox.put(pickle.load(self._requests))
        except (EOFError, OSError):
            pass
        except BaseException:  # noqa: BLE001 - a module that the parent has and we do not; its parent reads it
            traceback.print_exc()
            os._exit(1)
        self._inbox.put(None)
        if not self._closing.wait(NOTICE_S):
            _thread.interrupt_main()
            if not self._closing.wait(GRACE_S):  # in the middle of llama.cpp, where no signal is heard
                os._exit(1)

    def _send(self, message: Message) -> None:
        with self._sending, suppress(OSError):  # without a parent, this process is about to end
            pickle.dump(message, self._replies)
            self._replies.flush()

    def end(self, exc: YoutuError) -> None:
        """Tell the parent of an error that ends the batch, as the class of ours that it is or derives from."""
        kind = next(kind for kind in type(exc).__mro__ if kind.__module__ == errors.__name__)
        self._send(Ended(kind, str(exc)))
