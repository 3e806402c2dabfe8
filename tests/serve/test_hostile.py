"""Hostile requests to a server of its own process: the short form of the soak."""

from __future__ import annotations

from scripts.soak.serve_hostile import run


def test_no_hostile_request_fails_the_server_starts_a_program_takes_much_memory_or_is_told_too_much() -> None:
    outcomes, faults, _ = run(short=True)
    assert faults == []
    assert {200, 400, 413, 415} <= set(outcomes)
    assert sum(outcomes.values()) > 90
