"""Regular expressions mean the same in every version of Python that is supported."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{\d*,?\d*\})\+|\(\?>")
"""A group that keeps what it matched. Python 3.11.0 to 3.11.4, Debian's among them, do not take back what the last turn
matched before it failed, so a match ends in the middle of something."""


def _patterns(path: Path) -> list[str]:
    """Return the texts in a file that can be patterns, apart from docstrings and the like."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone]
    texts = [value.decode("latin1") if isinstance(value, bytes) else value for value in values]
    return [text for text in texts if isinstance(text, str) and POSSESSIVE_GROUP.search(text) and _is_pattern(text)]


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


@pytest.mark.parametrize("folder", ["youtu_gguf", "scripts", "tests/reference"])
def test_no_group_is_possessive(folder: str) -> None:
    files = [*(ROOT / folder).rglob("*.py")]
    assert files
    assert {path.name: found for path in files if (found := _patterns(path))} == {}


@pytest.mark.parametrize("pattern", [r"(?:ab)*+", r"(?:a|b)++c", r"(ab){2,}+", r"(?>a|ab)c"])
def test_possessive_groups_are_recognised(pattern: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(f'"""{pattern}"""\n\nPATTERN = rb"{pattern}"\n', encoding="utf-8")
    assert _patterns(file) == [pattern]


@pytest.mark.parametrize("pattern", [r"\(*+", r"(ab)+", r"[0-9]++", r"(ab)\+"])
def test_other_patterns_are_not(pattern: str) -> None:
    assert not POSSESSIVE_GROUP.search(pattern)
