"""The parts of a batch in shards: Parquet files with a row per image, each written once and never changed.

They are the results and the state of the batch in one: an image is finished if a part has a row of it, made of the file
that is there now. What shards are, and who does them, is not known here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from youtu_gguf.batch.store import Store
from youtu_gguf.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

PARTS, SUFFIX = "parts", ".parquet"
"""Folder of the parts in the output folder, and how their names end."""

FORMAT = 1
"""Raised when the columns of parts change so that older parts cannot be read."""

INDEX = ("image", "etag", "width", "height", "n_errors")
"""Columns that tell what is finished; all together 100 bytes an image."""

_ABOUT = "youtu_gguf"
"""Key of what is said about a part in the metadata of its file."""

_READERS = 16
"""Parts that are read at a time: what takes time at an object store is its answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """An image in a part.

    Attributes:
        image: Its name, as in its line.
        etag: What its file system said of the file before it was read; None if it could not be read.
        sha256: Of its bytes; None if it could not be read.
        width: Of the image in pixels; None if it could not be opened.
        height: Likewise.
        n_errors: Of the image, of its questions, and of results that lack a format.
        seconds: That it took.
        line: Its line in JSON, with the line end.
        pieces: Files with what data sets need, by their names in `files/`; see `image.PARTS`.
        files: Files of other formats, by their names in `files/`.
    """

    image: str
    etag: str | None
    sha256: str | None
    width: int | None
    height: int | None
    n_errors: int
    seconds: float
    line: bytes = field(repr=False)
    pieces: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Index:
    """All images that are finished, in the order of their names: each once, as the last of its rows has it.

    Attributes:
        table: The columns of `INDEX`; `part`, the place in `parts`; and `row`, the place in the part, from 0.
        parts: Names of the parts, such as "parts/000001-3f2a-000000.parquet", in order; the last row of an image
            counts.
        about: What each part says about itself: its run, shard, machine and so on.
    """

    table: pa.Table = field(repr=False)
    parts: tuple[str, ...] = field(repr=False)
    about: tuple[Mapping[str, Any], ...] = field(repr=False)

    def __len__(self) -> int:
        return int(self.table.num_rows)


class Parts:
    """The parts in an output folder.

    Args:
        store: The output folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self, shard: str = "") -> tuple[str, ...]:
        """Return the names of all parts, or of those of a shard, in order.

        Raises:
            InputError: The store cannot be listed.
        """
        names = self._store.files(PARTS)
        return tuple(name for name in names if name.startswith(f"{PARTS}/{shard}") and name.endswith(SUFFIX))

    def index(self) -> Index:
        """Return which images are finished.

        Raises:
            InputError: A part cannot be read.
        """
        import pyarrow as pa

        names = self.names()
        with ThreadPoolExecutor(_READERS) as pool:
            read = [*pool.map(self._index_of, names)]
        places = pa.array([n for n, (columns, _) in enumerate(read) for _ in range(columns.num_rows)], pa.int32())
        rows = pa.array([n for columns, _ in read for n in range(columns.num_rows)], pa.int32())
        table = pa.concat_tables([_empty(), *(columns for columns, _ in read)])
        table = table.append_column("part", places).append_column("row", rows)
        return Index(_last(table), names, tuple(about for _, about in read))

    def rows(self, part: str, *, files: bool = True, pieces: bool = True) -> list[Row]:
        """Return the rows of a part; without `files` and `pieces` these are not read from the store.

        Raises:
            InputError: The part cannot be read.
        """
        wanted = {"files": files, "pieces": pieces}
        columns = [name for name in schema().names if wanted.get(name, True)]
        return [*map(_row, self._read(part, columns).to_pylist())]

    def write(self, part: str, rows: Sequence[Row], about: Mapping[str, Any]) -> None:
        """Write a part.

        Raises:
            OutputError: It cannot be written.
        """
        self._store.write(part, encode(rows, about))

    def _index_of(self, part: str) -> tuple[pa.Table, Mapping[str, Any]]:
        with self._opened(part) as (file, about):
            return file.read(list(INDEX), use_threads=False), about

    def _read(self, part: str, columns: Sequence[str]) -> pa.Table:
        with self._opened(part) as (file, _):
            return file.read(list(columns), use_threads=False)

    @contextmanager
    def _opened(self, part: str) -> Iterator[tuple[ParquetFile, Mapping[str, Any]]]:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile

        where = f"{part} in {self._store.address}"
        remedy = "Delete that file; the next run does its images again."
        try:
            with self._store.open(part) as source, ParquetFile(source, pre_buffer=True) as file:
                about = json.loads((file.schema_arrow.metadata or {})[_ABOUT.encode()])
                if about["format"] != FORMAT:
                    raise InputError(
                        f"expected {where} in format {FORMAT} of this package's parts; got format {about['format']}, "
                        f"of another version. Use that version, or delete the file; the next run does its images again."
                    )
                yield file, about
        except FileNotFoundError as exc:
            raise InputError(f"expected {where}; it was deleted meanwhile. Run the same command again.") from exc
        except KeyError as exc:
            raise InputError(f"expected {where} to be a part of a batch; it lacks {exc}. {remedy}") from exc
        except (pa.ArrowException, ValueError, OSError) as exc:
            raise InputError(f"expected {where} to be whole; got: {exc}. {remedy}") from exc


def encode(rows: Sequence[Row], about: Mapping[str, Any]) -> bytes:
    """Return a part: a Parquet file of `rows`, which says `about` about itself."""
    import pyarrow as pa
    from pyarrow import parquet

    values = [{**asdict(row), "pieces": _listed(row.pieces), "files": _listed(row.files)} for row in rows]
    told = {_ABOUT: json.dumps({"format": FORMAT, **about})}
    table = pa.Table.from_pylist(values, schema()).replace_schema_metadata(told)
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd", use_dictionary=False, write_statistics=False)
    return out.getvalue()


def schema() -> pa.Schema:
    """Return the columns of a part: the fields of `Row`."""
    import pyarrow as pa

    files = pa.list_(pa.struct([("name", pa.string()), ("data", pa.binary())]))
    columns = {
        "image": pa.string(),
        "etag": pa.string(),
        "sha256": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "n_errors": pa.int32(),
        "seconds": pa.float64(),
        "line": pa.binary(),
        "pieces": files,
        "files": files,
    }
    return pa.schema(columns)


def _empty() -> pa.Table:
    return schema().empty_table().select(list(INDEX))


def _last(table: pa.Table) -> pa.Table:
    """Return the last row of each image, in the order of their names."""
    import pyarrow as pa

    numbered = pa.table({"image": table["image"], "place": pa.array(range(table.num_rows), pa.int64())})
    places = numbered.group_by("image").aggregate([("place", "max")]).sort_by("image")["place_max"]
    return table.take(places)


def _listed(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [{"name": name, "data": data} for name, data in files.items()]


def _row(values: Mapping[str, Any]) -> Row:
    files = {key: {one["name"]: one["data"] for one in values.get(key) or ()} for key in ("pieces", "files")}
    return Row(**{**values, **files})
