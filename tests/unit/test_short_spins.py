"""How OpenMP's threads wait: said while the library is loaded, and not to children."""

from __future__ import annotations

import pytest

from youtu_gguf.environment import SPINS, short_spins


def test_spins_are_limited_while_the_library_is_loaded_and_not_after_it() -> None:
    environment: dict[str, str] = {}
    with short_spins(environment):
        assert environment == {"GOMP_SPINCOUNT": SPINS}
    assert environment == {}


@pytest.mark.parametrize("said", [{"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "active"}])
def test_what_the_user_says_of_waiting_is_left_alone(said: dict[str, str]) -> None:
    environment = dict(said)
    with short_spins(environment):
        assert environment == said
    assert environment == said
