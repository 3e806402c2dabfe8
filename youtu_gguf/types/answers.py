"""Answers of one item: a text and a number, which behave as such, and an action."""

import reprlib
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Self, TypeVar

import numpy as np

from youtu_gguf.errors import DecodeError
from youtu_gguf.types.arrays import F32, freeze
from youtu_gguf.types.objects import Boxes
from youtu_gguf.types.result import Result
from youtu_gguf.types.spans import Spans, freeze_spans

N = TypeVar("N", int, float)

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, eq=False, repr=False)
class Text(Result, str):
    """A free answer, and the `score` of all its text. It is a string: search it, split it, compare it, format it.

    What a method of strings returns, such as `text.strip()`, is a plain `str`, and so are `text.value` and `str(text)`.
    Two texts are equal when their strings are, whatever else they carry.
    """

    value: str
    score: float | None = None

    def __new__(cls, value: str = "", *_: Any, **__: Any) -> Self:
        """Make the string; the rest is the dataclass's."""
        return super().__new__(cls, value)

    def __str__(self) -> str:
        return self.value

    def _summary(self) -> str:
        whole = self.value
        return repr(whole if len(whole) <= _SHOWN_CHARACTERS else f"{whole[:_SHOWN_CHARACTERS].rstrip()} ...")


@dataclass(frozen=True, eq=False, repr=False)
class Count(Result):
    """How many there are, and the number's `score`. It counts as an int: `int(count)`, `range(count)`, `count + 1`.

    `value` is None where the answer gives no number. Such a count equals no number, `str()` of it is "", and whatever
    else takes it for a number, its truth included, raises `DecodeError`. Two counts are equal when their numbers are,
    whatever else they carry. `boxes` are those that were counted, where it was counted by detecting; else None. Their
    `spans` are places in the `raw` of the count. Its own `spans` tell where the number is written first, as those of
    `Box`; None where the answer gives none, and by detecting.
    """

    value: int | None
    score: float | None = None
    boxes: Boxes | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze_spans(self)

    def __str__(self) -> str:
        return "" if self.value is None else str(self.value)

    def __format__(self, spec: str) -> str:
        return format(int(self), spec) if spec else str(self)

    def __int__(self) -> int:
        if self.value is None:
            raise DecodeError(
                f"expected a number; the answer gives none: {reprlib.repr(self.raw)}. Check count.value, which is "
                "None then, before using the count as an int."
            )
        return self.value

    def __index__(self) -> int:
        return int(self)

    def __float__(self) -> float:
        return float(int(self))

    def __bool__(self) -> bool:
        return bool(int(self))

    def __hash__(self) -> int:
        return hash(self.value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Count):
            return self.value == other.value
        return bool(self.value == other) if isinstance(other, Real) else NotImplemented

    def __lt__(self, other: "float | Count") -> bool:
        return int(self) < other

    def __le__(self, other: "float | Count") -> bool:
        return int(self) <= other

    def __gt__(self, other: "float | Count") -> bool:
        return int(self) > other

    def __ge__(self, other: "float | Count") -> bool:
        return int(self) >= other

    def __add__(self, other: "N | Count") -> N:
        return int(self) + other

    def __radd__(self, other: N) -> N:
        return other + int(self)

    def __sub__(self, other: "N | Count") -> N:
        return int(self) - other

    def __rsub__(self, other: N) -> N:
        return other - int(self)

    def __mul__(self, other: "N | Count") -> N:
        return int(self) * other

    def __rmul__(self, other: N) -> N:
        return other * int(self)

    def __truediv__(self, other: "float | Count") -> float:
        return int(self) / other

    def __rtruediv__(self, other: float) -> float:
        return other / int(self)

    def _summary(self) -> str:
        return "no number" if self.value is None else str(self.value)


@dataclass(frozen=True, eq=False, repr=False)
class Action(Result):
    """A user-interface action: its `name`, the point `xy` (2,) or None, and the other `arguments`.

    The name is "" where the answer gives none. Arguments are as the model wrote them: coordinates among them are pixels
    of the prepared image, which `Transform.to_source` converts; where that is not the scene's, an issue gives its size.
    `spans` tell where the two numbers of the point are written, as those of `Box`; None where there is no point.
    """

    name: str
    xy: F32 | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    spans: Spans | None = None

    def __post_init__(self) -> None:
        freeze(self, "xy", (2,), np.float32, optional=True)
        freeze_spans(self)

    def _summary(self) -> str:
        name = self.name or "no action"
        return name if self.xy is None else f"{name} at {', '.join(f'{value:g}' for value in self.xy.tolist())}"


def in_words(result: Result) -> bool:
    """Whether `result` is words or a number alone: it has no drawing and no arrays."""
    return isinstance(result, Text) or (isinstance(result, Count) and result.boxes is None)
