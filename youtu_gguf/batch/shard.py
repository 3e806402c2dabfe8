"""Does a shard: asks about its images as a batch does, with the results in memory, and writes its parts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.arguments import is_there
from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch.addresses import is_local
from youtu_gguf.batch.ahead import FEW, ReadingAhead
from youtu_gguf.batch.attempts import Attempt
from youtu_gguf.batch.image import PARTS as PIECES
from youtu_gguf.batch.image import Done, Questions, name_of
from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.messages import Died
from youtu_gguf.batch.parts import PARTS, SUFFIX, Parts, Row
from youtu_gguf.batch.run import TRIES, Asker, Batch, Through, errors_in
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store
from youtu_gguf.errors import InputError, OutputError, YoutuError

MOST_HELD = 64 << 20
"""Bytes of files that are held before a part is written, which takes seven times as much for a second."""

REDONE = 8
"""Images in a part of a shard that has ended a process, so that it does not lose more by the next end."""


@dataclass(frozen=True)
class ShardDone:
    """How a shard went; the results themselves are in its parts.

    Attributes:
        n_images: Images in it.
        broken: Names of images with errors, and the first error of each.
        attempt: How often it was begun: 1, unless an actor died.
    """

    n_images: int
    broken: Sequence[tuple[str, str]] = ()
    attempt: int = 1


@dataclass(frozen=True)
class ShardWork:
    """Questions for the images of a shard, which are named as the user named them; files stay in memory."""

    questions: Questions
    names: Mapping[Path, str]

    def do(self, model: yg.Model, path: Path) -> Done:
        """Ask all questions about an image; return its line and its files.

        Raises:
            YoutuError: An error that would affect every image.
        """
        files: dict[str, bytes] = {}

        def put(file: str, *data: bytes | memoryview) -> None:
            files[file] = b"".join(data)

        done = self.questions.ask(model, path, self.names[path], put)
        return Done(path, done.line, done.engine_works, files)


def run_shard(
    ready: Callable[[], Asker],
    shard: Shard,
    questions: Questions,
    store: Store,
    *,
    about: Mapping[str, Any] | None = None,
    told: Callable[[Line], object] = lambda _line: None,
) -> ShardDone:
    """Do the images of a shard and write its parts.

    What an earlier attempt at the shard has finished is kept; so is what this one has, if it ends with an error.

    Args:
        ready: Returns what does the images, as a `Worker` does; called once, when the shard is begun.
        shard: The shard.
        questions: What is asked about each image.
        store: The output folder.
        about: What the parts say about themselves beside the shard: run, machine and so on.
        told: Called with the line of each image that is done.

    Raises:
        InputError: None of the images can be read on this machine.
        YoutuError: An error that would affect every image.
    """
    with Attempt(store, shard) as attempt:
        parts = Parts(store)
        earlier = _finished(parts, shard) if attempt.number > 1 else {}
        items = [item for item in shard.items if name_of(item.name) not in earlier]
        _check_there(items)
        begun_first = [item for item in items if 0 < attempt.tries(name_of(item.name)) < TRIES]
        items = [*begun_first, *(item for item in items if item not in begun_first)]
        if items:
            with ReadingAhead(ready(), items) as asker:
                writer = _Writer(parts, shard, attempt, asker, {"shard": shard.name, **(about or {})})
                _run(writer, questions, told)
        lines = {**earlier, **attempt.lines}
        return ShardDone(len(shard.items), [*_broken(lines)], attempt.number)


def _run(writer: _Writer, questions: Questions, told: Callable[[Line], object]) -> None:
    names = {path: item.name for path, item in writer.places.items()}
    batch = Batch(writer, ShardWork(questions, names), writer.attempt, name=lambda path: name_of(names[path]))
    try:
        for path in batch.run([*names]):
            told(writer.attempt.lines[name_of(names[path])])
            if writer.is_full():
                writer.write()
    except OutputError:
        raise
    except BaseException:
        with suppress(YoutuError):
            writer.write()
        raise
    writer.check()
    writer.write()


def _check_there(items: Sequence[Item]) -> None:
    """Refuse that none of the images that were there when the run began is on this machine.

    Raises:
        InputError: So it is.
    """
    listed = [item for item in items if item.etag is not None and is_local(item.address)]
    if len(listed) >= FEW and not any(is_there(Path(item.address)) for item in listed):
        raise InputError(
            f"expected the images on {socket.gethostname()} too; of {len(listed)} none is there, the first is "
            f"{listed[0].address}. Share their folder under the same path on every machine, or name it by an address "
            "such as s3://bucket/folder."
        )


def _finished(parts: Parts, shard: Shard) -> dict[str, Line]:
    """Return the lines of images that earlier attempts at a shard have finished."""
    etags = {name_of(item.name): item.etag for item in shard.items}
    rows = [row for part in parts.names(shard.name) for row in parts.rows(part, files=False, pieces=False)]
    return {row.image: json.loads(row.line) for row in rows if row.etag is not None and row.etag == etags[row.image]}


def row_of(item: Item, line: Line, files: Mapping[str, bytes]) -> Row:
    """Return the row of an image that is done."""
    width, height = line.get("size", (None, None))
    sha256 = line["sha256"]
    return Row(
        name_of(item.name),
        None if sha256 is None else item.etag,
        sha256,
        width,
        height,
        len(errors_in(line)),
        line["seconds"],
        json_bytes(line),
        {name: data for name, data in files.items() if name.endswith(PIECES)},
        {name: data for name, data in files.items() if not name.endswith(PIECES)},
    )


def _broken(lines: Mapping[str, Line]) -> Iterator[tuple[str, str]]:
    for name, line in lines.items():
        for error in errors_in(line)[:1]:
            yield name, f"{error['class']}: {error['message']}"


class _Writer(Through):
    """An `Asker` that has another do the images, keeps their files, and writes them and their lines into parts."""

    def __init__(
        self, parts: Parts, shard: Shard, attempt: Attempt, asker: ReadingAhead, about: Mapping[str, Any]
    ) -> None:
        super().__init__(asker)
        self._parts, self._shard, self._about = parts, shard, about
        self.attempt, self.places, self.check = attempt, asker.places, asker.check
        self._files: dict[str, Mapping[str, bytes]] = {}
        self._written: set[str] = set()
        self._n_parts = 0

    def wait(self) -> Done | Died:
        outcome = super().wait()
        if isinstance(outcome, Done):
            self._files[name_of(self.places[outcome.path].name)] = outcome.files
        return outcome

    def is_full(self) -> bool:
        """Return whether the next part should be written now."""
        n_bytes = sum(len(data) for files in self._files.values() for data in files.values())
        n_images = len(self.attempt.lines) - len(self._written)
        return n_bytes >= MOST_HELD or (self.attempt.number > 1 and n_images >= REDONE)

    def write(self) -> None:
        """Write what is finished and in no part yet.

        Raises:
            OutputError: It cannot be written.
        """
        rows = []
        for item in self._shard.items:
            name = name_of(item.name)
            if name in self.attempt.lines and name not in self._written:
                self._written.add(name)
                rows.append(row_of(item, self.attempt.lines[name], self._files.pop(name, {})))
        if not rows:
            return
        self.attempt.rest()
        self._n_parts += 1
        which = "" if self.attempt.number == self._n_parts == 1 else f"_{self.attempt.number}-{self._n_parts}"
        self._parts.write(f"{PARTS}/{self._shard.name}{which}{SUFFIX}", rows, self._about)
