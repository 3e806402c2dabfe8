"""Shards that were begun and are not finished: what is known when an actor, or its whole machine, dies in one.

`attempts/SHARD.json` is written before a shard begins and deleted when its parts are written. So when the shard comes
to another actor, that one knows. From then on each image is noted before it begins: an image that ends everything is
known by that, is tried by itself, and then gets the line that it gets in `batch`. An attempt at a shard is also the
journal of its images, which is in memory.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import Self

from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch.ledger import MemoryLedger
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.store import Store
from youtu_gguf.errors import EngineError, InputError, YoutuError

FOLDER, SUFFIX = "attempts", ".json"
"""Folder of the notes in the output folder, and how their names end."""

MOST_SILENT = 3
"""Attempts in a row that may end before any image was begun: what ends them is then hardly an image."""

_READERS = 16


@dataclass(frozen=True)
class Note:
    """What is noted of a shard, or of a run.

    Attributes:
        attempt: How often the shard was begun.
        silent: Last attempts of these in which no image was noted. The first attempt notes none.
        node: The machine of the last one.
        lost: How often images were in progress when a process ended, by their names.
        in_progress: Images that are begun now.
    """

    attempt: int = 0
    silent: int = 0
    node: str = ""
    lost: Mapping[str, int] = field(default_factory=dict)
    in_progress: tuple[str, ...] = ()

    def tries(self) -> dict[str, int]:
        """Return how often images were begun, if those in progress do not end."""
        begun = dict(self.lost)
        for name in self.in_progress:
            begun[name] = begun.get(name, 0) + 1
        return begun


class Attempt(MemoryLedger):
    """An attempt at a shard, which is the journal of its images: a context manager.

    Args:
        store: The output folder.
        shard: The shard.

    Attributes:
        number: How often the shard was begun, this time included.

    Raises:
        EngineError: Several attempts have ended before they began an image.
        InputError: A note in the store cannot be read.
        OutputError: The attempt cannot be noted.
    """

    def __init__(self, store: Store, shard: Shard) -> None:
        self._store, self._name = store, f"{FOLDER}/{shard.name}{SUFFIX}"
        before = _read(store, self._name) or Note(lost=shard.lost)
        if before.silent >= MOST_SILENT:
            raise EngineError(
                f"expected an actor to do {shard.name}; {before.attempt} ended by force, the last {before.silent} "
                f"before they began an image, last on {before.node}. If memory ran out there, use fewer actors, or a "
                "smaller model or context. Then run the same command again."
            )
        self._before = replace(before, lost=before.tries(), in_progress=())
        super().__init__(self._before.lost)
        self.number = before.attempt + 1
        self._is_silent = True
        self._write()

    def begin(self, name: str) -> None:
        """Note that an image is begun; in the store if the shard or the image has ended a process before.

        Raises:
            OutputError: That cannot be written.
        """
        super().begin(name)
        if self.number > 1 or self.lost or not self._is_silent:  # a note that names an image must not grow old
            self._is_silent = False
            self._write()

    def rest(self) -> None:
        """Note that no image is in progress, so that none is blamed for what comes.

        Raises:
            OutputError: That cannot be written.
        """
        if not self._is_silent:
            self._write()

    def _write(self) -> None:
        silent = self._before.silent + 1 if self._is_silent else 0
        note = Note(self.number, silent, socket.gethostname(), self.lost, tuple(self.in_progress))
        self._store.write(self._name, json_bytes(asdict(note)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            self._store.remove(self._name)
            return
        with suppress(YoutuError):  # what ended the attempt matters more; and it was not the shard
            if self._before.attempt or self.lost:
                self._store.write(self._name, json_bytes(asdict(replace(self._before, lost=self.lost))))
            else:
                self._store.remove(self._name)


def take_over(store: Store, run: str) -> dict[str, int]:
    """Make the notes of earlier runs those of a new one, and return how often images were begun that did not end.

    Call it once the new run is alone in the folder; `clear` or `let_go` at its end.

    Args:
        store: The output folder.
        run: The name of the new run, as its shards have it.

    Raises:
        InputError: A note cannot be read.
        OutputError: One cannot be written or deleted.
    """
    notes = _notes(store)
    begun = _most(note.tries() for note in notes.values())
    _replace(store, notes, run, begun)
    return begun


def let_go(store: Store, run: str) -> None:
    """End a run that is not complete: images that are in progress were begun for nothing.

    Raises:
        InputError: A note cannot be read.
        OutputError: One cannot be written or deleted.
    """
    notes = _notes(store)
    _replace(store, notes, run, _most(note.lost for note in notes.values()))


def clear(store: Store) -> None:
    """End a run that is complete.

    Raises:
        InputError: The store cannot be listed.
        OutputError: A note cannot be deleted.
    """
    for name in store.files(FOLDER):
        store.remove(name)


def _notes(store: Store) -> dict[str, Note]:
    names = [name for name in store.files(FOLDER) if name.endswith(SUFFIX)]
    with ThreadPoolExecutor(_READERS) as pool:
        notes = dict(zip(names, pool.map(lambda name: _read(store, name), names), strict=True))
    return {name: note for name, note in notes.items() if note is not None}


def _replace(store: Store, notes: Mapping[str, Note], run: str, lost: Mapping[str, int]) -> None:
    own = f"{FOLDER}/{run}{SUFFIX}"
    if lost:
        store.write(own, json_bytes(asdict(Note(lost=lost))))
    for name in notes:
        if name != own or not lost:
            store.remove(name)


def _most(counts: Iterator[Mapping[str, int]]) -> dict[str, int]:
    most: dict[str, int] = {}
    for count in counts:
        for name, n in count.items():
            most[name] = max(n, most.get(name, 0))
    return most


def _read(store: Store, name: str) -> Note | None:
    data = store.read(name)
    if data is None:
        return None
    try:
        told = json.loads(data)
        return Note(**{**told, "in_progress": tuple(told["in_progress"])})
    except (ValueError, TypeError, KeyError) as exc:
        raise InputError(
            f"expected in {name} of {store.address} what this package writes there; got: {exc}. Delete that file."
        ) from exc
