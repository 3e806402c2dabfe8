"""A model in a process of its own, so that an image that kills the process ends neither the batch nor its journal.

The parent writes pickles to the worker's stdin: how to load the model, what to do, then one path per image. The worker
writes pickles to its stdout: `Ready`, `Done` for each image, `Ended` before it gives up. It ends when its stdin does,
which its parent holds, so it outlives its parent by a second at most, however that ends. This is the parent's side;
`desk` is the worker's.
"""

from __future__ import annotations

import logging
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import youtu_gguf as yg
from youtu_gguf.batch.image import Done, ImageWork
from youtu_gguf.batch.messages import Died, Ended, Message, Note, Ready
from youtu_gguf.environment import worker_environment
from youtu_gguf.errors import EngineError, InputError, ModelFileError
from youtu_gguf.types import ProgressFn, no_progress

POLL_S = 0.5
"""How often a wait lets signals in, where the system does not do so by itself."""

STOP_S = 10.0
"""How long a worker may take to close its model, a llama-server included, before it is killed."""

JOIN_S = 0.2
"""How long the end of a worker's output is waited for."""

KEPT_LINES, SHOWN_LINES, SHOWN = 40, 3, 300
"""Last lines of a worker's stderr that are kept; how many of them, and of their characters, a message repeats."""

_START = "import sys; sys.path[:] = sys.argv[1:]; from youtu_gguf.batch.desk import serve; serve()"


class Worker:
    """Loads a model in another process, and again whenever that process dies. A context manager, for one thread.

    Args:
        load: Loads the model when it is called with `progress=`; must be picklable, as `partial(yg.load, "nano")` is.
        progress: Called while the model loads for the first time.
        environment: Variables of the process, in place of those that this one has.

    Attributes:
        identity: See `identity_of`.
        n_parallel: Images to work on at a time.
        name: What people call the model: see `name_of_model`.

    Raises:
        EngineError: The process cannot be started, or dies while it loads.
        YoutuError: What `load` raises.
    """

    def __init__(
        self,
        load: Callable[..., yg.Model],
        progress: ProgressFn = no_progress,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._load = load
        _pickled(load)
        self._environment = environment or {}
        self._process = self._started()
        ready = self._until_ready(progress)
        self.identity, self.n_parallel, self.name = ready.identity, ready.n_parallel, ready.name
        self._work: ImageWork | None = None
        self._busy = 0

    def prepare(self, work: ImageWork) -> None:
        """Set what is to be done with every image."""
        self._work = work
        if not self._process.dead:  # the next one is told when it starts
            self._process.send(work)

    def make_ready(self, path: Path) -> None:  # noqa: ARG002 - others must bring the image
        """Start a new process if the last one has died, and wait until it has loaded the model.

        Raises:
            EngineError: It cannot be started, or dies while it loads.
            ModelFileError: The model is another one by now.
        """
        if self._process.dead:
            self._process = self._started()
            if self._until_ready(no_progress).identity != self.identity:
                raise ModelFileError("the model's files have changed while a batch was using them. Start it again.")
            self._process.send(self._work)

    def start(self, path: Path) -> None:
        """Begin an image; `make_ready` comes before it."""
        self._process.send(path)
        self._busy += 1

    def wait(self) -> Done | Died:
        """Return the next image that is done, or that the process has died.

        Raises:
            YoutuError: An error that would affect every image.
        """
        message = self._process.receive()
        if isinstance(message, Died):
            self._busy = 0
            return message
        assert isinstance(message, Done)
        self._busy -= 1
        return message

    def stop(self) -> None:
        """Give up the images in progress; the process with them, if there are any."""
        if self._busy:
            self._process.close()
            self._busy = 0

    def _started(self) -> _Process:
        return _Process(self._load, {**worker_environment(), **self._environment})

    def _until_ready(self, progress: ProgressFn) -> Ready:
        try:
            while True:
                message = self._process.receive()
                if isinstance(message, Ready):
                    return message
                if isinstance(message, Died):
                    raise EngineError(f"the process that loads the model ended {message.how}")
                if isinstance(message, tuple):
                    progress(*message)
        except BaseException:
            self._process.close()
            raise

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Process:
    """One life of a worker, as its parent sees it."""

    def __init__(self, load: Callable[..., yg.Model], environment: Mapping[str, str]) -> None:
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, *sys.path],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C reaches the parent only, which then ends the worker
            )
        except OSError as exc:
            raise EngineError(f"{sys.executable} cannot be started: {exc}.") from exc
        self.dead = False
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._readers = [
            threading.Thread(target=self._read_messages, daemon=True),
            threading.Thread(target=self._read_words, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.send(load)

    def send(self, what: object) -> None:
        """Send a message; if the process has died, `receive` will tell."""
        assert self._popen.stdin is not None
        data = _pickled(what)
        with suppress(OSError):
            self._popen.stdin.write(data)
            self._popen.stdin.flush()

    def receive(self) -> Message | Died:
        """Return the next message, or that the process has died.

        Raises:
            YoutuError: What ended the worker in an orderly way.
        """
        while True:
            try:
                message = self._inbox.get(timeout=POLL_S)
            except queue.Empty:
                continue
            if not isinstance(message, Note):
                break
            logging.getLogger(message.logger).log(message.level, "%s", message.text)
        if isinstance(message, Ended):
            self.close()
            raise message.kind(message.message)
        if message is None:
            self.close()
            return Died(self._how())
        return message

    def _read_messages(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as replies, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._inbox.put(pickle.load(replies))
        self._inbox.put(None)

    def _read_words(self) -> None:
        assert self._popen.stderr is not None
        with self._popen.stderr as words:
            for line in iter(partial(words.readline, 1 << 16), b""):
                self._last_lines.append(line.decode("utf-8", "replace").strip())

    def _how(self) -> str:
        code = self._popen.returncode
        how = f"with exit code {code}"
        if code < 0:
            with suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        if code == -getattr(signal, "SIGKILL", 0):
            how += ", which is how Linux ends a process when memory runs out"
        words = " | ".join(filter(None, list(self._last_lines)[-SHOWN_LINES:]))[-SHOWN:]
        return f'{how}. Its last words: "{words}".' if words else f"{how}."

    def close(self) -> None:
        """Ask the process to end, and kill it if it does not. Safe to call twice."""
        self.dead = True
        assert self._popen.stdin is not None
        with suppress(OSError):
            self._popen.stdin.close()
        try:
            self._popen.wait(STOP_S)
        except BaseException as exc:
            self._popen.kill()
            self._popen.wait()
            if not isinstance(exc, subprocess.TimeoutExpired):
                raise
        for reader in self._readers:
            reader.join(JOIN_S)  # a grandchild may hold its end open


def _pickled(what: object) -> bytes:
    try:
        return pickle.dumps(what)
    except (pickle.PicklingError, AttributeError, TypeError) as exc:
        raise InputError(
            f"expected something that another process can be told, such as partial(yg.load, ...); got {what!r}: {exc}."
        ) from exc
