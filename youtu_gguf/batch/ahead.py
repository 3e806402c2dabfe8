"""Reads the images of a shard that are elsewhere ahead into a temporary folder; those on this machine stay in place."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from youtu_gguf.atomic import writing
from youtu_gguf.batch.addresses import is_local
from youtu_gguf.batch.image import Done, line_of
from youtu_gguf.batch.messages import Died
from youtu_gguf.batch.run import Asker, Through
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import read_at
from youtu_gguf.errors import InputError
from youtu_gguf.locks import locked

AHEAD = 4
"""Images that are read before they are asked about, beside those in progress; and how many are read at a time."""

FEW = 3
"""Images of a shard from which on it is not their fault that none of them can be read."""

PREFIX, LOCK = "youtu-gguf-shard-", ".lock"
"""How the names of temporary folders begin; the file in each that its owner holds."""


class ReadingAhead(Through):
    """An `Asker` that has another do the images, and reads those that are elsewhere. A context manager.

    Args:
        asker: Does the images.
        items: The images, in the order in which they will be begun.

    Attributes:
        places: The file of each image here.

    Raises:
        OSError: No temporary folder can be made.
    """

    def __init__(self, asker: Asker, items: Sequence[Item]) -> None:
        super().__init__(asker)
        self._stack = ExitStack()
        self.places: dict[Path, Item] = {}
        self._readings: dict[Path, Future[InputError | None] | None] = {}
        self._errors: dict[Path, InputError] = {}
        self._failed: deque[Done] = deque()
        self._n_read = 0
        self._n_failed = 0
        self._last: InputError | None = None
        folder: Path | None = None
        for number, item in enumerate(items):
            path = Path(item.address)
            if not is_local(item.address) or path in self.places:  # it may have been named in two ways
                folder = folder or self._stack.enter_context(temporary_folder())
                path = folder / f"{number}{PurePosixPath(item.name).suffix}"
                self._readings[path] = None
            self.places[path] = item
        self._pool = self._stack.enter_context(_threads()) if self._readings else None

    def make_ready(self, path: Path) -> None:
        """Wait until an image is here, or cannot be read."""
        error = self._read(path) if path in self._readings else None
        if error is not None:
            self._errors[path] = error
            return
        super().make_ready(path)

    def start(self, path: Path) -> None:
        """Begin an image."""
        error = self._errors.pop(path, None)
        if error is None:
            super().start(path)
            return
        self._failed.append(Done(path, line_of(self.places[path].name, None, error)))

    def wait(self) -> Done | Died:
        """Return the next image that is done, or that all in progress are lost."""
        outcome = self._failed.popleft() if self._failed else super().wait()
        if isinstance(outcome, Done) and outcome.path in self._readings:
            outcome.path.unlink(missing_ok=True)
        return outcome

    def check(self) -> None:
        """Refuse that no image at all could be read.

        Raises:
            InputError: What happened to the last one.
        """
        if self._n_failed >= FEW and self._n_read == 0:
            assert self._last is not None
            raise self._last

    def _read(self, path: Path) -> InputError | None:
        """Wait until an image is here, and have the next ones read; return why it cannot be read."""
        assert self._pool is not None
        waiting = [*self._readings]
        first = waiting.index(path)
        for one in waiting[first : first + AHEAD + self.n_parallel]:
            if self._readings[one] is None:
                self._readings[one] = self._pool.submit(_fetch, self.places[one].address, one)
        reading = self._readings[path]
        assert reading is not None
        error = reading.result()
        self._n_read += error is None
        self._n_failed += error is not None
        self._last = error or self._last
        return error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def _fetch(address: str, path: Path) -> InputError | None:
    """Bring an image to `path`, unless it is gone; return why it cannot be read.

    Raises:
        OutputError: It cannot be written here.
    """
    if is_local(address):
        with writing(path):
            path.symlink_to(address)
        return None
    try:
        data = read_at(address)
    except InputError as exc:
        return exc
    if data is None:
        return None
    with writing(path):
        path.write_bytes(data)
    return None


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(AHEAD, "youtu-gguf reading")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder, which is removed afterwards; if this process is killed, by the next that makes one.

    Raises:
        OutputError: It cannot be made.
    """
    with writing(Path(tempfile.gettempdir())):
        for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
            with suppress(_HeldError, OSError), locked(lock, _refuse):
                shutil.rmtree(lock.parent, ignore_errors=True)
        folder = tempfile.TemporaryDirectory(prefix=PREFIX)
    with folder as name, locked(Path(name, LOCK), _refuse):
        yield Path(name)


class _HeldError(Exception):
    """The owner of a folder is alive."""


def _refuse() -> None:
    raise _HeldError
