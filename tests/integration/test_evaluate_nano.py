"""Evaluations with the small model: ended and resumed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.soak.evaluate_kill import check


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_evaluation_that_is_ended_at_random_and_resumed_gives_the_same_answers_and_figures(tmp_path: Path) -> None:
    assert check(tmp_path, "nyuv2", 4, kills=1, seed=3) == []
    assert (tmp_path / "ended" / "figures.json").exists()
