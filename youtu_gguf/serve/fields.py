"""The fields of a request: what is used, what is refused, and what has no effect and is named in the header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from youtu_gguf.arguments import short_repr
from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from youtu_gguf.serve.calls import Call

IGNORED = "X-Youtu-Ignored"
"""Header of an answer: names of what stood in the request and has no effect here."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST = 32


class Ignored:
    """Names of what stood in a request and has no effect, each once, in the order in which they were found."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def add(self, *names: str) -> None:
        """Note names. Those that a header cannot hold are noted as "other"."""
        for name in names:
            shown = name if _PLAIN.fullmatch(name) else "other"
            if shown in self._names or len(self._names) < _MOST:
                self._names[shown] = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self._names)

    def tell(self, call: Call) -> None:
        """Name them in the header of the call's answer, if there are any."""
        if self._names:
            call.headers[IGNORED] = ", ".join(self._names)


class Fields:
    """An object of a request, from which fields are taken one by one; null counts as absent.

    Args:
        body: The object.
        ignored: Where `ignore_rest` notes what was not taken.
        path: Where the object stands in the request, such as "options."; "" for the body itself.
    """

    def __init__(self, body: Mapping[str, Any], ignored: Ignored, path: str = "") -> None:
        self._left = {name: value for name, value in body.items() if value is not None}
        self._ignored, self._path = ignored, path

    @property
    def ignored(self) -> Ignored:
        """Where what has no effect is noted."""
        return self._ignored

    def take(self, name: str) -> Any:
        """Return a field of any type, None where it is absent."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """Return a text."""
        found: str | None = self._typed(name, str, "a text")
        return found

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        found: bool | None = self._typed(name, bool, "true or false")
        return default if found is None else found

    def array(self, name: str) -> list[Any]:
        """Return an array, empty where it is absent."""
        return self._typed(name, list, "an array") or []

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object as it is, empty where it is absent."""
        return self._typed(name, dict, "an object") or {}

    def nested(self, name: str) -> Fields:
        """Return an object as fields of its own, without any where it is absent."""
        return Fields(self.mapping(name), self._ignored, f"{self._path}{name}.")

    def _typed(self, name: str, kind: type, expected: str) -> Any:
        value = self.take(name)
        if value is not None and not isinstance(value, kind):
            raise wrong(f"{self._path}{name}", expected, value)
        return value

    def refuse(self, names: Iterable[str], unless: tuple[Any, ...] = ()) -> None:
        """Refuse fields that change what an answer means and have no effect here.

        Empty ones and those equal to one of `unless` change nothing, and are taken.

        Raises:
            ApiError: One of them is there.
        """
        for name in names:
            value = self.take(name)
            if value not in (None, False, 0, "", [], {}, *unless):
                raise unsupported(f"{self._path}{name}")

    def ignore_rest(self) -> None:
        """Note all fields that were not taken."""
        self._ignored.add(*(f"{self._path}{name}" for name in self._left))
        self._left = {}


def wrong(param: str, expected: str, value: object) -> ApiError:
    """Return the answer to a field that is not what it should be."""
    return ApiError(
        400, "invalid_argument", f"{param[:80]} must be {expected}; got {short_repr(value)}.", param=param[:80]
    )


def unsupported(param: str, why: str = "is not supported here, and would change the answer") -> ApiError:
    """Return the answer to a field that would change what an answer means."""
    return ApiError(400, "unsupported_parameter", f"{param} {why}. Leave it out.", param=param)
