"""What a strict run refuses."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.testing import FakeEngine

IMAGE = np.zeros((64, 64, 3), np.uint8)
GOOD = "<ref>cup</ref><box><x_0><y_0><x_9><y_9></box>"
FLAWED = "<box><x_3><y_1><x_3><y_9></box><box><x_0><y_0><x_9><y_9>"


def detect(answer: str, **options: bool) -> yg.Boxes:
    return yg.load(engine=FakeEngine({"Detect all": answer})).open(IMAGE).detect(**options)  # type: ignore[arg-type]


def test_a_strict_run_names_the_first_issue_its_place_and_the_count() -> None:
    issues = detect(FLAWED).issues
    assert len(issues) > 1
    place = (
        f"{len(issues)} issue\\(s\\), the first at characters {issues[0].start}-{issues[0].end}: {issues[0].message}"
    )
    with pytest.raises(yg.DecodeError, match=place):
        detect(FLAWED, strict=True)


def test_nothing_is_raised_without_both_strictness_and_issues() -> None:
    assert detect(GOOD, strict=True).issues == ()
    assert detect(FLAWED, strict=False).issues
