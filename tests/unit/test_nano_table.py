"""The table of nano's figures that the documents show."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.nano.evaluate import ABILITY_AIMS, AIMS
from scripts.nano.table import CHINESE, HEADER, ROWS, replaced, row, table

ROOT = Path(__file__).resolve().parents[2]


def _shown(path: str) -> list[str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    begin = lines.index(HEADER[0])
    return lines[begin : begin + lines[begin:].index("")]


def test_the_card_and_the_benchmarks_show_the_same_figures() -> None:
    card = _shown("models/nano/README.md")
    assert card == _shown("docs/benchmarks.md")
    assert len(card) == len(HEADER) + len(ROWS) + len(CHINESE) + 2  # zoom and tiles


def test_every_aim_has_a_line() -> None:
    assert set(AIMS) | set(ABILITY_AIMS) <= set(ROWS)


def test_a_line_says_by_how_much_a_figure_is_short() -> None:
    assert row("depth_absrel", 0.0812) == "| depth, mean relative error | 0.081 | <= 0.080 | short by 0.001 |"
    assert row("count_exact", 0.851) == "| counting, exact | 0.851 | >= 0.891 | short by 0.040 |"
    assert row("count_exact", 0.89099).endswith("| 0.891 | >= 0.891 | short by 0.001 |")
    assert row("count_exact", 0.891).endswith("| 0.891 | >= 0.891 | |")
    assert row("chat_exact", 0.5) == "| questions that lean on earlier ones, exact | 0.500 | - | |"


def test_plain_and_other_forms_stand_side_by_side() -> None:
    lines = table(
        {"count_exact": 0.9, "zh_count_exact": 0.86, "one_look_miou": 0.93, "zoom2_miou": 0.9, "tiles_miou": 0.8}
    )
    assert lines[2] == "| counting, exact | 0.900 | >= 0.891 | |"
    assert lines[3].endswith("has 0.930 | 0.900 | >= 0.900 | |")
    assert lines[4].endswith("has 0.930 | 0.800 | >= 0.900 | short by 0.100 |")
    assert lines[5] == "| Chinese: counting; English has 0.900 | 0.860 | >= 0.870 | short by 0.010 |"


def test_only_the_table_is_replaced() -> None:
    old = "\n".join(["before", "", *HEADER, "| a | 1 | - | |", "", "after"]) + "\n"
    assert replaced(old, [*HEADER, "| b | 2 | - | |"]) == old.replace("| a | 1 |", "| b | 2 |")
    with pytest.raises(ValueError, match="expected a table"):
        replaced("no table", [])
