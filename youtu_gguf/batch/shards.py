"""A batch in shards: images that are done together and whose results are written together, whoever does them.

A shard becomes one Parquet file in `parts/` of the output folder, written once and never changed. The parts say what is
finished. Nothing here knows how shards come to workers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import youtu_gguf as yg
from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch.addresses import is_local
from youtu_gguf.batch.image import Done, Work, name_of
from youtu_gguf.batch.journal import Line
from youtu_gguf.batch.run import Batch, errors_in
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.store import Store
from youtu_gguf.batch.worker import Worker

if TYPE_CHECKING:
    import pyarrow as pa

PARTS = "parts"
"""Folder of the parts in the output folder."""

SHARD_SIZE = 64
"""Images in a shard."""


@dataclass(frozen=True)
class Shard:
    """Images that are done together: those of the part `parts/NAME.parquet`."""

    name: str
    items: tuple[Item, ...] = field(repr=False)


@dataclass(frozen=True)
class ShardWork:
    """The questions of `work` for the images of a shard, named by their files; results stay in memory."""

    work: Work
    names: Mapping[Path, str]

    def do(self, model: yg.Model, path: Path) -> Done:
        """Ask all questions about an image; return its line and its files."""
        files: dict[str, bytes] = {}

        def put(file: str, *data: bytes | memoryview) -> None:
            files[file] = b"".join(data)

        done = self.work.ask(model, path, self.names[path], put)
        return Done(path, done.line, done.engine_works, files)


def cut(items: Sequence[Item], size: int, prefix: str) -> Iterator[Shard]:
    """Cut images into shards, in their order."""
    for start in range(0, len(items), size):
        yield Shard(f"{prefix}-{start // size:06}", tuple(items[start : start + size]))


class _Ledger:
    """The journal of a shard: in memory."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self._tries: dict[str, int] = {}
        self._in_progress: set[str] = set()

    def add(self, name: str, line: Line) -> None:
        self.lines[name] = line
        self._in_progress.discard(name)

    def begin(self, name: str) -> None:
        self._in_progress.add(name)

    def tries(self, name: str) -> int:
        return self._tries.get(name, 0) + (name in self._in_progress)

    def lose(self, name: str) -> None:
        self._tries[name] = self.tries(name)
        self._in_progress.discard(name)

    def let_go(self) -> None:
        self._in_progress.clear()

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        self.lines = {name: line for name, line in self.lines.items() if not unwanted(line)}

    def clear_files(self, name: str) -> None:
        pass


def run_shard(worker: Worker, shard: Shard, work: Work, store: Store) -> list[dict[str, Any]]:
    """Do the images of a shard and write its part. Return the rows of the part.

    Raises:
        YoutuError: An error that would affect every image.
    """
    assert all(is_local(item.address) for item in shard.items)
    items = {Path(item.address): item for item in shard.items}
    names = {path: item.name for path, item in items.items()}
    ledger = _Ledger()
    rows = []
    run = Batch(worker, ShardWork(work, names), ledger, name=lambda path: name_of(names[path]))  # type: ignore[arg-type]
    for path in run.run(list(items)):
        item = items[path]
        line = ledger.lines[name_of(item.name)]
        rows.append(_row(item, line, {}))
    store.write(f"{PARTS}/{shard.name}.parquet", encode(rows, {}))
    return rows


def _row(item: Item, line: Line, files: Mapping[str, bytes]) -> dict[str, Any]:
    width, height = line.get("size", (None, None))
    return {
        "image": name_of(item.name),
        "etag": item.etag,
        "sha256": line["sha256"],
        "width": width,
        "height": height,
        "n_errors": len(errors_in(line)),
        "seconds": line["seconds"],
        "line": json_bytes(line),
        "files": [{"name": name, "data": data} for name, data in files.items()],
    }


def schema() -> pa.Schema:
    """Return the columns of a part."""
    import pyarrow as pa

    return pa.schema(
        [
            ("image", pa.string()),
            ("etag", pa.string()),
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("n_errors", pa.int32()),
            ("seconds", pa.float64()),
            ("line", pa.binary()),
            ("files", pa.list_(pa.struct([("name", pa.string()), ("data", pa.binary())]))),
        ]
    )


def encode(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> bytes:
    """Return a Parquet file of rows."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pylist(list(rows), schema()).replace_schema_metadata({"youtu_gguf": json.dumps(about)})
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def finished(store: Store) -> dict[str, str | None]:
    """Return the etag of every image that is finished, by its name; of several rows of an image that of the last."""
    from pyarrow import parquet

    known: dict[str, str | None] = {}
    for name in store.files(PARTS):
        table = parquet.read_table(io.BytesIO(store.read(name) or b""), columns=["image", "etag"])
        known |= dict(zip(table["image"].to_pylist(), table["etag"].to_pylist(), strict=True))
    return known
