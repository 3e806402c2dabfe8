"""Results as rows of a table, for spreadsheets: of one result, or of many images.

The file is UTF-8 with a byte order mark, by which spreadsheets know that it is. A text that a spreadsheet would take
for a formula has an apostrophe before it: the words of an image are not to compute anything.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.output.objects import WITH_OBJECTS, items_of
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.types import Action, Count, Result, Text

COLUMNS = ("image", "task", "label", "score", "x1", "y1", "x2", "y2", "area", "text", "count")
"""Of the table: `x1` to `y2` are left, top, right, bottom in source pixels, `area` is in pixels. Empty where a row has
no such thing."""

IN_TABLES: tuple[type[Result], ...] = (*WITH_OBJECTS, Text, Action)
"""Types of the values that have rows."""

_DIGITS = 2
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How what spreadsheets compute begins (OWASP, "CSV injection")."""

Row = dict[str, Any]


def rows_of(result: Result, image: str, task: str = "", *, label: str = UNNAMED) -> Iterator[Row]:
    """Yield the rows of a result: one for each object, or one with a text, a number or an action.

    A count has a row with the number, and one for each box that was counted. Where nothing was found, there is one row
    with the image and the task.

    Args:
        result: One of `IN_TABLES`.
        image: Name of the image.
        task: What was asked.
        label: The label of a mask, which has none.

    Raises:
        InputError: It has no rows, as depth.
    """
    rows = [*_rows(result, label)]
    for row in rows or [{}]:
        yield {"image": image, "task": task, **row}


def table(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> bytes:
    """Return rows, with keys among `columns`, as a CSV file with a line of headings."""
    text = StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _safe(value) for key, value in row.items()})
    return text.getvalue().encode("utf-8-sig", errors="backslashreplace")


def encode_csv(result: Result, source: Source) -> bytes:
    """Return a result as a table; the task is that of the source's context."""
    return table(rows_of(result, source.name, str(source.context.get("task", "")), label=source.label))


def _rows(result: Result, label: str) -> Iterator[Row]:
    match result:
        case Text():
            yield {"text": result.value, "score": _number(result.score, 4)}
        case Action():
            x, y = ("", "") if result.xy is None else (_number(n, _DIGITS) for n in result.xy.tolist())
            yield {"text": result.name, "x1": x, "y1": y, "x2": x, "y2": y}
        case Count():
            yield {"count": "" if result.value is None else result.value, "score": _number(result.score, 4)}
            if result.boxes is not None:
                yield from _rows(result.boxes, label)
        case _ if isinstance(result, WITH_OBJECTS):
            for item in items_of(result, label):
                corners = (_number(n, _DIGITS) for n in item.xyxy.tolist())
                yield {
                    "label": item.label,
                    "score": _number(item.score, 4),
                    **dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True)),
                    "area": _number(item.area, _DIGITS),
                }
        case _:
            raise InputError(f"a {type(result).__name__} has no rows for a table. Use JSON, or another format.")


def _number(value: float | None, digits: int) -> float | str:
    if value is None or value != value:  # noqa: PLR0124 - not a number
        return ""
    number = round(float(value), digits)
    return int(number) if number.is_integer() else number


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
