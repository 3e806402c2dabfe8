"""A short form of the soak with hostile images."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "scripts" / "soak" / "hostile_images.py"


def test_no_hostile_image_starts_a_program_or_raises_another_error(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("hostile_images", SOAK)
    assert spec
    assert spec.loader
    soak = importlib.util.module_from_spec(spec)
    sys.modules["hostile_images"] = soak
    spec.loader.exec_module(soak)
    outcomes, faults, _ = soak.run(60, 1, tmp_path, modes=("RGB", "P"))
    assert faults == []
    assert sum(outcomes.values()) == 60
    assert set(outcomes) <= {"read", "InputError", "EngineError", "Pillow refuses it"}
