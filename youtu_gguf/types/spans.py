"""Where in a text an item is written."""

import reprlib
from collections.abc import Iterable, Sequence

from youtu_gguf.errors import InputError
from youtu_gguf.types.arrays import Frozen

Span = tuple[int, int]
"""Characters start to stop (exclusive) of a text, counted in Unicode code points."""

Spans = tuple[Span, ...]
"""Where an item is written: its words and numbers, without the tags around them."""


def placed_spans(spans: Iterable[Span], offset: int = 0) -> Spans:
    """Return `spans` moved by `offset`, in their order in the text; those that touch or overlap become one."""
    placed: list[Span] = []
    for start, stop in sorted(spans):
        if placed and start + offset <= placed[-1][1]:
            first, last = placed.pop()
            placed.append((first, max(last, stop + offset)))
        else:
            placed.append((start + offset, stop + offset))
    return tuple(placed)


def freeze_spans(record: Frozen) -> None:
    """Replace the field `spans` of `record`, while that is made, by tuples of whole numbers; None stays.

    Raises:
        InputError: They are no pairs of numbers.
    """
    spans = vars(record)["spans"]
    if spans is not None:
        object.__setattr__(record, "spans", checked_spans(spans))


def checked_spans(spans: Sequence[Sequence[int]]) -> Spans:
    """Return the spans of one item as tuples of whole numbers.

    Raises:
        InputError: They are no pairs with 0 <= start <= stop.
    """
    try:
        pairs = tuple((int(start), int(stop)) for start, stop in spans)
    except (TypeError, ValueError) as exc:
        raise InputError(f"spans must be pairs of character offsets; got {reprlib.repr(spans)}.") from exc
    if any(not 0 <= start <= stop for start, stop in pairs):
        raise InputError(f"a span must be start, stop with 0 <= start <= stop; got {reprlib.repr(spans)}.")
    return pairs
