"""The field "youtu" of a chat: what our own protocol has and the others have not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from youtu_gguf.serve.fields import Fields

FIELD = "youtu"

WISHES = {
    "type": "object",
    "properties": {
        "decode": {"type": "boolean", "default": False},
        "arguments": {"type": "object"},
        "output": {"type": "object"},
    },
}
"""How the API's description shows it."""


@dataclass(frozen=True)
class Wishes:
    """What a client wants beside what its protocol can say.

    Attributes:
        decode: The places in an answer as values, in source pixels.
        arguments: Arguments of a task, besides the user's words.
        output: How a task's JSON tells pixels, as `/v1/tasks` takes it.
    """

    decode: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)

    def without_effect(self, *, task: bool) -> tuple[str, ...]:
        """Return the names of those that have no effect, on a task or on a conversation."""
        of_the_other = {"decode": self.decode} if task else {"arguments": self.arguments, "output": self.output}
        return tuple(f"{FIELD}.{name}" for name, value in of_the_other.items() if value)


def take_wishes(fields: Fields) -> Wishes:
    """Take the field "youtu" of a request.

    Raises:
        ApiError: It is of another type.
    """
    own = fields.nested(FIELD)
    found = Wishes(own.flag("decode", default=False), own.mapping("arguments"), own.mapping("output"))
    own.ignore_rest()
    return found
