"""What is said of a body that does not fit its model: where, what was expected, and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.tasks import TASKS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Place = tuple[int | str, ...]

_EXPECTED = "Input should be "
_SHOWN = 80


def refused(
    flaws: Sequence[ErrorDetails], sent: Mapping[str, Any], known: Callable[[Place], Iterable[str]]
) -> ApiError:
    """Return the answer to a body: its first flaw, with all that is said of the same place.

    Args:
        flaws: What pydantic says of it.
        sent: The body.
        known: Gives the names that may stand at a place where an unknown one does.
    """
    places = [_place(flaw, sent) for flaw in flaws]
    # An alternative that was nearly met has its flaw deeper than the others.
    place = max((p for p in places if p[: len(places[0])] == places[0]), key=len)
    told = [flaw for flaw, p in zip(flaws, places, strict=True) if p == place]
    first = told[0]
    param = ".".join(map(str, place))
    if place == ("image",):
        message = "image must be the id of an image (img_...), a data URI or base64."
        return ApiError(400, "image_required", message, param="image")
    match first["type"]:
        case "extra_forbidden":
            message = f"unknown argument {param[:_SHOWN]}. Known here: {', '.join(known(place))}."
        case "missing":
            message = f"{param} is missing."
        case "union_tag_invalid" | "union_tag_not_found":
            param = f"{param}.task"
            message = f"{param} must be one of {', '.join(TASKS)}."
        case _:
            message = f"{param} {_expected([flaw['msg'] for flaw in told])}; got {_shown(first['input'])}."
    return ApiError(400, "invalid_argument", message, param=param[:_SHOWN])


def _place(flaw: ErrorDetails, sent: object) -> Place:
    """Return the names and indices that lead to a flaw, without those of alternatives, which are pydantic's own."""
    place: list[int | str] = []
    for part in flaw["loc"]:
        is_entry = isinstance(sent, list) and isinstance(part, int) and part < len(sent)
        if is_entry or (isinstance(sent, dict) and part in sent):
            sent = cast("Any", sent)[part]
        elif flaw["type"] != "missing" or part != flaw["loc"][-1]:
            continue
        place.append(part)
    return tuple(place)


def _expected(told: Sequence[str]) -> str:
    """Return what was expected, in one phrase."""
    wanted = [message.removeprefix(_EXPECTED) for message in told if message.startswith(_EXPECTED)]
    if not wanted:
        return f"is invalid: {told[0][:1].lower()}{told[0][1:]}"
    return f"must be {' or '.join(dict.fromkeys(wanted))}"


def _shown(value: object) -> str:
    try:
        written = repr(value)
    except ValueError:  # more digits than Python writes out
        return "a number too large"
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 1]}…"
