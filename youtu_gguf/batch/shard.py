"""Does a shard: asks about its images as a batch does, with the results in memory, and writes its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch.addresses import is_local
from youtu_gguf.batch.image import PARTS as PIECES
from youtu_gguf.batch.image import Done, ImageWork, Questions, name_of
from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.messages import Died
from youtu_gguf.batch.parts import PARTS, SUFFIX, Parts, Row
from youtu_gguf.batch.run import Asker, Batch, errors_in
from youtu_gguf.batch.shards import Shard
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store


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
    told: Callable[[Line], None] = lambda _line: None,
) -> ShardDone:
    """Do the images of a shard and write its parts.

    Args:
        ready: Returns what does the images, as a `Worker` does; called once, when the shard is begun.
        shard: The shard.
        questions: What is asked about each image.
        store: The output folder.
        about: What the parts say about themselves beside the shard: run, machine and so on.
        told: Called with the line of each image that is done.

    Raises:
        YoutuError: An error that would affect every image.
    """
    assert all(is_local(item.address) for item in shard.items)
    items = {Path(item.address): item for item in shard.items}
    ledger = _Ledger()
    asker = _Keeping(ready())
    work = ShardWork(questions, {path: item.name for path, item in items.items()})
    rows: list[Row] = []
    for path in Batch(asker, work, ledger, name=lambda path: name_of(items[path].name)).run([*items]):
        item = items[path]
        line = ledger.lines[name_of(item.name)]
        rows.append(row_of(item, line, asker.files.pop(path, {})))
        told(line)
    Parts(store).write(f"{PARTS}/{shard.name}{SUFFIX}", rows, {"shard": shard.name, **(about or {})})
    return ShardDone(len(rows), [*_broken(ledger.lines)])


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


class _Keeping:
    """An `Asker` that keeps the files of images that are done."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.files: dict[Path, Mapping[str, bytes]] = {}

    @property
    def n_parallel(self) -> int:
        return self._asker.n_parallel

    def prepare(self, work: ImageWork) -> None:
        self._asker.prepare(work)

    def start(self, path: Path) -> None:
        self._asker.start(path)

    def wait(self) -> Done | Died:
        outcome = self._asker.wait()
        if isinstance(outcome, Done):
            self.files[outcome.path] = outcome.files
        return outcome

    def stop(self) -> None:
        self._asker.stop()


class _Ledger:
    """The journal of a shard: in memory."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self._lost: dict[str, int] = {}
        self._in_progress: set[str] = set()

    def add(self, name: str, line: Line) -> None:
        self.lines[name] = line
        self._in_progress.discard(name)
        self._lost.pop(name, None)

    def begin(self, name: str) -> None:
        self._in_progress.add(name)

    def tries(self, name: str) -> int:
        return self._lost.get(name, 0) + (name in self._in_progress)

    def lose(self, name: str) -> None:
        self._lost[name] = self.tries(name)
        self._in_progress.discard(name)

    def let_go(self) -> None:
        self._in_progress.clear()

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        self.lines = {name: line for name, line in self.lines.items() if not unwanted(line)}

    def clear_files(self, name: str) -> None:
        """Do nothing: no earlier run has left files."""
