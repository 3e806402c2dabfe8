import dataclasses

import pytest

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration


def test_the_default_holds_the_likelier_guesses_of_the_facts() -> None:
    assert Calibration(leading_space=False, bin_base=1, align_corners=False, normalise="grid") == DEFAULT


def test_a_calibration_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.bin_base = 0  # type: ignore[misc]
