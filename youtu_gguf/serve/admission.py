"""Who is answered next: a bounded queue, fair between clients. It knows no HTTP. For the event loop's thread alone."""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter, deque
from dataclasses import dataclass, field

from youtu_gguf.serve.errors import ApiError

_REMEMBERED = 64
"""Service times that the estimate of a wait is made from."""

_UNKNOWN_S = 1.0
"""Estimate of a service time before the first is known."""


@dataclass(eq=False)
class Ticket:
    """A place in the queue, and then one of the answers at once.

    Attributes:
        client: Whose it is.
        background: Whether it only begins while no other ticket waits.
        admitted: Whether it is, or has been, its turn.
        position: Tickets that wait before it, itself included; 0 where it does not wait.
        changed: Set each time one of these changes.
    """

    client: str
    background: bool = False
    admitted: bool = False
    position: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Admission:
    """The queue.

    A place that becomes free goes to the client with the fewest answers in progress, and among its tickets to the first
    one: a client with many requests waits for itself. Tickets in the background begin one at a time, while there are no
    others.

    Args:
        n_answers: Answers at once.
        max_waiting: Most tickets that wait, and most that wait in the background.
    """

    def __init__(self, n_answers: int, max_waiting: int) -> None:
        self._n_answers, self._max_waiting = n_answers, max_waiting
        self._waiting: list[Ticket] = []  # in the order in which they came
        self._running: set[Ticket] = set()
        self._service_s: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def n_waiting(self) -> int:
        """Tickets in the queue."""
        return len(self._waiting)

    @property
    def n_running(self) -> int:
        """Tickets whose turn it is."""
        return len(self._running)

    def join(self, client: str, *, background: bool = False) -> Ticket:
        """Take a place at the end.

        Raises:
            ApiError: The queue is full.
        """
        n_waiting = sum(ticket.background == background for ticket in self._waiting)
        if n_waiting >= self._max_waiting:
            raise ApiError(
                429,
                "queue_full",
                f"at most {self._max_waiting} requests may wait, and that many do. Ask again after the time that "
                "Retry-After says.",
                retry_after_s=self._wait_s(len(self._waiting)),
            )
        ticket = Ticket(client, background)
        self._waiting.append(ticket)
        self._admit()
        return ticket

    def leave(self, ticket: Ticket, service_s: float | None = None) -> None:
        """Give up a place, wherever it is. Safe to call twice.

        Args:
            ticket: Whose.
            service_s: How long the answer took, where it ended by itself.
        """
        if service_s is not None:
            self._service_s.append(service_s)
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        self._running.discard(ticket)
        _move(ticket, 0)
        self._admit()

    def eta_s(self, ticket: Ticket) -> float:
        """Return the estimated seconds until it is the turn of a ticket; 0 where it does not wait."""
        return self._wait_s(ticket.position - 1) if ticket.position else 0.0

    def _wait_s(self, n_before: int) -> float:
        typical = statistics.median(self._service_s) if self._service_s else _UNKNOWN_S
        return typical * (n_before // self._n_answers + 1)

    def _admit(self) -> None:
        n_before = 0
        for ticket in self._in_order():
            if n_before or len(self._running) >= self._n_answers or (ticket.background and self._running):
                n_before += 1
                _move(ticket, n_before)
                continue
            self._waiting.remove(ticket)
            self._running.add(ticket)
            ticket.admitted = True
            _move(ticket, 0)

    def _in_order(self) -> list[Ticket]:
        """Return the waiting tickets in the order in which they would be admitted."""
        busy = Counter(ticket.client for ticket in self._running)
        waiting, ordered = list(self._waiting), []
        while waiting:
            following = min(waiting, key=lambda t: (t.background, busy[t.client]))  # the first of equals
            waiting.remove(following)
            busy[following.client] += 1
            ordered.append(following)
        return ordered


def _move(ticket: Ticket, position: int) -> None:
    if ticket.position != position or ticket.admitted:
        ticket.position = position
        ticket.changed.set()
