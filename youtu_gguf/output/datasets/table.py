"""One table of many images: a row for each object, text, number and error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from youtu_gguf.output.csv import COLUMNS, IN_TABLES, rows_of, table
from youtu_gguf.output.datasets.base import Chunks, Joining, Part, Piece
from youtu_gguf.output.source import Source
from youtu_gguf.types import DepthMap, Result

ERROR = "error"
"""The column that says what failed."""

_COLUMNS = (*COLUMNS, ERROR)

HEADING = table((), _COLUMNS)
"""How the file begins."""


class JoinedTable:
    """A CSV file, in which depth has its range as text."""

    name, media_type, suffix = "csv", "text/csv; charset=utf-8", ".csv"
    takes: tuple[type[Result], ...] = (*IN_TABLES, DepthMap)
    kept: tuple[str, ...] = ()

    def part(self, result: Result, source: Source) -> Part:
        """Return the rows of a value; one without anything where it has none."""
        if isinstance(result, DepthMap):
            return [{"text": _distances(result)}]
        return [
            {key: value for key, value in row.items() if key not in ("image", "task")}
            for row in rows_of(result, "", label=source.label)
        ]

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield the one file."""
        yield "", _chunks(joining.pieces)


def _chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    yield HEADING
    for piece in pieces:
        rows = ({"image": piece.name, **row} for row in piece.read())
        yield table(rows, _COLUMNS).removeprefix(HEADING)


def _distances(depth: DepthMap) -> str:
    known = depth.values[depth.values > 0]
    if not known.size:
        return ""
    least, most = float(known.min()), float(known.max())
    return f"{least:.2f} to {most:.2f} {depth.unit}"
