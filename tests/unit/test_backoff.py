"""Trying again: how long each pause is, and when there is no further try."""

from __future__ import annotations

import threading

from youtu_gguf.backoff import LONGEST_ASKED_S, Backoff


def test_pauses_double_up_to_the_longest() -> None:
    naps: list[float] = []
    backoff = Backoff(0.5, 3.0, naps.append, retries=5)
    assert all(backoff.pause() for _ in range(5))
    assert naps == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_after_the_last_retry_there_is_no_pause_and_no_further_try() -> None:
    naps: list[float] = []
    backoff = Backoff(1.0, 8.0, naps.append, retries=2)
    assert [backoff.pause() for _ in range(4)] == [True, True, False, False]
    assert (naps, backoff.failures) == ([1.0, 2.0], 4)


def test_what_a_try_has_brought_begins_the_row_anew() -> None:
    naps: list[float] = []
    backoff = Backoff(1.0, 8.0, naps.append, retries=2)
    backoff.pause()
    backoff.pause()
    backoff.reset()
    assert backoff.failures == 0
    assert [backoff.pause() for _ in range(3)] == [True, True, False]
    assert naps == [1.0, 2.0, 1.0, 2.0]


def test_the_first_failures_may_be_followed_by_a_try_at_once() -> None:
    naps: list[float] = []
    backoff = Backoff(0.5, 30.0, naps.append, retries=4, at_once=1)
    assert all(backoff.pause() for _ in range(4))
    assert naps == [0.5, 1.0, 2.0]


def test_a_pause_is_as_long_as_is_asked_for_unless_its_own_is_longer() -> None:
    naps: list[float] = []
    backoff = Backoff(1.0, 8.0, naps.append, retries=3)
    assert backoff.pause(17.0) and backoff.pause(0.0) and backoff.pause(3.0)
    assert naps == [17.0, 2.0, 4.0]


def test_who_wants_to_be_left_alone_for_too_long_is_not_tried_again() -> None:
    naps: list[float] = []
    backoff = Backoff(1.0, 8.0, naps.append, retries=9)
    assert backoff.pause(LONGEST_ASKED_S)
    assert not backoff.pause(LONGEST_ASKED_S + 1)
    assert naps == [LONGEST_ASKED_S]


def test_chance_shortens_a_pause_by_no_more_than_its_share() -> None:
    naps: list[float] = []
    backoff = Backoff(8.0, 8.0, naps.append, retries=200, jitter=0.5)
    assert all(backoff.pause() for _ in range(200))
    assert len(set(naps)) > 100
    assert 4.0 <= min(naps) < 5.0 and 7.0 < max(naps) <= 8.0


def test_an_event_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    assert Backoff(3600.0, 3600.0, stop.wait, retries=1).pause()
