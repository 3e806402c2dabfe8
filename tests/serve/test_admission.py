"""The queue: who is next, how long it takes, and when it is full."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from youtu_gguf.serve.admission import Admission, Ticket
from youtu_gguf.serve.errors import ApiError


def in_a_loop(function: Callable[[], None]) -> Callable[[], None]:
    """Run a test where tickets can be made."""

    def test() -> None:
        async def run() -> None:
            function()

        asyncio.run(run())

    test.__name__ = function.__name__
    return test


def join(queue: Admission, names: list[str]) -> dict[str, Ticket]:
    """Take a place for each name, whose first letter is its client."""
    return {name: queue.join(name[0]) for name in names}


def order_of(queue: Admission, tickets: dict[str, Ticket]) -> list[str]:
    """Let the running tickets end one by one, the longest running first; return who is admitted, in order."""
    running = [name for name, ticket in tickets.items() if ticket.admitted]
    for name in running:  # grows
        before = {n for n, ticket in tickets.items() if ticket.admitted}
        queue.leave(tickets[name])
        running += [n for n, ticket in tickets.items() if ticket.admitted and n not in before]
    return running


@in_a_loop
def test_tickets_of_one_client_are_admitted_in_their_order() -> None:
    queue = Admission(1, 10)
    tickets = join(queue, ["a0", "a1", "a2", "a3"])
    assert [ticket.position for ticket in tickets.values()] == [0, 1, 2, 3]
    assert order_of(queue, tickets) == ["a0", "a1", "a2", "a3"]


@in_a_loop
def test_a_client_with_one_request_does_not_wait_for_one_with_thirty() -> None:
    queue = Admission(2, 32)
    tickets = join(queue, [*(f"a{n}" for n in range(30)), "b0"])
    assert tickets["b0"].position == 1
    assert order_of(queue, tickets)[:4] == ["a0", "a1", "b0", "a2"]


@in_a_loop
def test_two_clients_with_many_requests_have_as_many_answers_each() -> None:
    queue = Admission(4, 32)
    tickets = join(queue, [*(f"a{n}" for n in range(12)), *(f"b{n}" for n in range(8))])
    admitted = order_of(queue, tickets)
    assert admitted[:4] == ["a0", "a1", "a2", "a3"]  # the others had not come yet
    assert Counter(name[0] for name in admitted[6:14]) == {"a": 4, "b": 4}


@in_a_loop
def test_the_background_begins_alone_and_one_at_a_time() -> None:
    queue = Admission(4, 10)
    front = queue.join("a")
    back = [queue.join("b", background=True) for _ in range(2)]
    assert [ticket.admitted for ticket in back] == [False, False]
    later = queue.join("c")
    assert later.admitted
    queue.leave(front)
    assert not back[0].admitted
    queue.leave(later)
    assert [ticket.admitted for ticket in back] == [True, False]
    assert queue.join("d").admitted  # what is in the background does not keep others from beginning


@in_a_loop
def test_a_full_queue_says_when_to_ask_again_by_what_answers_take() -> None:
    queue = Admission(2, 4)
    for _ in range(5):
        queue.leave(queue.join("a"), service_s=30.0)
    for _ in range(6):
        queue.join("a")
    with pytest.raises(ApiError, match="at most 4 requests") as full:
        queue.join("b")
    assert (full.value.status, full.value.code, full.value.headers["Retry-After"]) == (429, "queue_full", "90")


@in_a_loop
def test_the_background_has_a_queue_of_its_own_that_is_bounded() -> None:
    queue = Admission(1, 2)
    for _ in range(2):
        queue.join("a", background=True)
    queue.join("a", background=True)
    with pytest.raises(ApiError, match="at most 2"):
        queue.join("a", background=True)
    queue.join("b")
    queue.join("b")
    assert queue.n_waiting == 4


@in_a_loop
def test_a_ticket_that_leaves_the_queue_moves_those_behind_it() -> None:
    queue = Admission(1, 10)
    _, first, second = (queue.join("a") for _ in range(3))
    second.changed.clear()
    queue.leave(first)
    queue.leave(first)
    assert second.changed.is_set()
    assert (second.position, queue.n_waiting, queue.n_running) == (1, 1, 1)


@in_a_loop
def test_the_estimate_counts_rounds_of_answers() -> None:
    queue = Admission(2, 10)
    queue.leave(queue.join("a"), service_s=5.0)
    tickets = [queue.join("a") for _ in range(7)]
    assert [queue.eta_s(ticket) for ticket in tickets] == [0, 0, 5, 5, 10, 10, 15]


@in_a_loop
def test_whatever_joins_and_leaves_no_place_is_lost() -> None:
    chance = random.Random(0)
    queue = Admission(3, 20)
    there: list[Ticket] = []
    for _ in range(3_000):
        if there and chance.random() < 0.5:
            queue.leave(there.pop(chance.randrange(len(there))), chance.random())
        elif queue.n_waiting < 20:
            there.append(queue.join(chance.choice("abcd"), background=chance.random() < 0.2))
        front = [ticket for ticket in there if not ticket.background]
        assert queue.n_running + queue.n_waiting == len(there)
        assert sum(ticket.admitted for ticket in there) == queue.n_running <= 3
        assert queue.n_running == 3 or all(ticket.admitted for ticket in front)
        assert sorted(t.position for t in there if not t.admitted) == [*range(1, queue.n_waiting + 1)]
