"""What a request in progress reports, in the order in which it happens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Queued:
    """The request waits.

    Attributes:
        position: Requests before it, itself included.
        eta_s: Estimated seconds until its turn.
    """

    position: int
    eta_s: float


@dataclass(frozen=True)
class Progress:
    """A step of question `index` that takes many; `stage` is "encode", "prefill", "generate" or "instances"."""

    index: int
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Piece:
    """The next piece of the answer to question `index`, whole characters."""

    index: int
    text: str


@dataclass(frozen=True, eq=False)
class Finished:
    """Question `index` has been answered; of a whole request it is what its work returned, with index -1."""

    index: int
    value: object


@dataclass(frozen=True, eq=False)
class Failed:
    """Question `index` ended with an error, and others go on."""

    index: int
    error: Exception


Event = Queued | Progress | Piece | Finished | Failed
