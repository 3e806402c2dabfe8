"""Values with several rows: one mechanism to index, select and iterate over all of them."""

import operator
import reprlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.types.arrays import F32, Frozen, freeze
from youtu_gguf.types.result import Result
from youtu_gguf.types.spans import checked_spans

Index: TypeAlias = int | np.integer[Any]

Selection: TypeAlias = slice | Sequence[bool] | Sequence[int] | npt.NDArray[np.bool_] | npt.NDArray[np.integer[Any]]
"""Rows by a slice, a mask with a truth value per row, or indices in any order."""

Chosen: TypeAlias = slice | npt.NDArray[np.intp]
"""A selection that has been checked: a slice, or indices from 0 on."""

_SHOWN_LABELS = 6

RowT_co = TypeVar("RowT_co", covariant=True)


class Row(Frozen):
    """One row of a value: its fields are those of the value, for one item."""

    def __repr__(self) -> str:
        shown = (
            f"{name}={_short(value)}" for name, value in vars(self).items() if value is not None and name != "spans"
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Rows(Result, Generic[RowT_co]):
    """A value with several rows, that is indexed, selected from and iterated over as an array is.

    - `value[i]` is one row, an object with named fields; negative `i` count from the end.
    - `value[1:3]`, `value[mask]` and `value[[2, 0]]` are values of the same type with those rows, and with the raw
      answer, the finish, the issues and the timings of the whole. A mask is a truth value per row, such as
      `boxes.scores > 0.5`.
    - `spans`, where it is not None, has for each row the characters of `raw` that say it: its words and its numbers.
    - `for row in value`, `len(value)` and `reversed(value)` go over the rows. A value without rows is falsy.

    Raises:
        IndexError: An index beyond the rows.
        InputError: A mask that is too long or too short, or anything else that selects no rows.
    """

    _row_type: ClassVar[Callable[..., Any]]
    """Makes a row of the entries of the fields in `_row_fields`, in their order."""
    _row_fields: ClassVar[tuple[str, ...]]
    """Fields with an entry per row; the first is never None."""

    def __post_init__(self) -> None:
        n = len(self)
        for name in self._row_fields:
            column = getattr(self, name)
            if name == "scores":
                freeze(self, name, (n,), np.float32, optional=True)
            elif column is not None and not isinstance(column, np.ndarray):
                if len(column) != n:
                    raise InputError(f"{name} must name each of the {n} items; got {len(column)}.")
                entries = map(checked_spans, column) if name == "spans" else column
                object.__setattr__(self, name, tuple(entries))

    def __len__(self) -> int:
        return len(getattr(self, self._row_fields[0]))

    @overload
    def __getitem__(self, key: Selection) -> Self: ...
    @overload
    def __getitem__(self, key: Index) -> RowT_co: ...
    def __getitem__(self, key: Index | Selection) -> RowT_co | Self:
        index = _as_index(key)
        if index is not None:
            return self._row(int(_positions(np.array([index]), len(self))[0]))
        return self._select(_checked_selection(key, len(self)))

    def __iter__(self) -> Iterator[RowT_co]:
        return map(self._row, range(len(self)))

    def _row(self, index: int) -> RowT_co:
        """Return the row at `index`, from 0 on."""
        made: RowT_co = type(self)._row_type(*(_entry(getattr(self, name), index) for name in self._row_fields))
        return made

    def _select(self, rows: Chosen) -> Self:
        """Return the value with `rows` in their order; everything else stays."""
        return replace(self, **{name: _entries(getattr(self, name), rows) for name in self._row_fields})


def each_score(scores: F32 | None, n: int) -> list[float] | list[None]:
    """Return a score for each of `n` items; None for each where none were asked for."""
    return [None] * n if scores is None else scores.tolist()


def listing(n: int, labels: Sequence[str]) -> str:
    """Return `n` and the first labels of as many items, for a repr."""
    if not any(labels):
        return str(n)
    more = ", ..." if n > _SHOWN_LABELS else ""
    return f"{n}: {', '.join(labels[:_SHOWN_LABELS])}{more}"


def _as_index(key: object) -> int | None:
    """Return `key` as an int where it is one; arrays with rows of their own and truth values are not."""
    if isinstance(key, bool | np.bool_) or not isinstance(key, SupportsIndex) or getattr(key, "ndim", False):
        return None
    return operator.index(key)


def _checked_selection(key: object, n: int) -> Chosen:
    """Return the rows, of `n`, that a slice, a mask or indices name."""
    if isinstance(key, slice):
        return key
    try:
        array = None if isinstance(key, tuple | str | bool) else np.asarray(key)
    except ValueError:  # lists of different lengths
        array = None
    if array is not None and array.ndim == 1:
        if array.dtype == np.bool_:
            return _masked(array, n)
        if np.issubdtype(array.dtype, np.integer) or not array.size:  # an empty list says nothing of its type
            return _positions(array, n)
    raise InputError(
        f"rows are selected by an index, a slice, a mask of {n} truth values or a list of indices; got "
        f'{reprlib.repr(key)}. By label: boxes[[label == "car" for label in boxes.labels]].'
    )


def _masked(mask: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.intp]:
    if len(mask) != n:
        raise InputError(
            f"a mask must have a truth value for each of the {n} rows; got {len(mask)}. Make it from this very value, "
            "such as value.scores > 0.5."
        )
    return np.flatnonzero(mask)


def _positions(indices: npt.NDArray[Any], n: int) -> npt.NDArray[np.intp]:
    """Return indices from 0 on, also of those that count from the end."""
    outside = indices[(indices < -n) | (indices >= n)]
    if outside.size:
        raise IndexError(f"row {outside[0]} is out of range: there are {n}.")
    within = indices.astype(np.intp)
    return np.where(within < 0, within + n, within)


def _entry(column: Any, index: int) -> Any:
    if column is None:
        return None
    entry = column[index]
    return entry.item() if isinstance(entry, np.generic) else entry


def _entries(column: Any, rows: Chosen) -> Any:
    if isinstance(column, tuple) and not isinstance(rows, slice):
        return tuple(column[i] for i in rows.tolist())
    return None if column is None else column[rows]


def _short(value: object) -> str:
    """Return a row's entry in a few characters: a small array as its numbers, a large one as its size."""
    if isinstance(value, tuple):
        return f"{len(value)} outline{'s' if len(value) != 1 else ''}"
    if isinstance(value, float):
        return f"{value:.2f}"
    if not isinstance(value, np.ndarray):
        return repr(value)
    if value.ndim > 1:
        return "x".join(map(str, value.shape[::-1] if value.dtype == np.bool_ else value.shape))
    return f"({', '.join(f'{number:.4g}' for number in value.tolist())})"
