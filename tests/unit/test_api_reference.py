"""docs/api: every public name has its place there, and nothing else has."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import youtu_gguf as yg

PAGES = Path(__file__).parents[2] / "docs" / "api"
NAMESPACES = ("calibration", "cluster", "evaluate", "servers", "weights")
"""Those that list their names; `doctor` and `testing` have two each."""


def documented(page: str) -> list[str]:
    """Return the names that a page is asked to document, without the modules they are in."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return [name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_namespace_is_documented_name_by_name(namespace: str) -> None:
    assert sorted(documented(namespace)) == sorted(import_module(f"youtu_gguf.{namespace}").__all__)


def test_every_name_of_the_package_is_documented() -> None:
    pages = [*documented("model"), *documented("values"), *documented("errors"), *documented("calibration")]
    modules = {"__version__", "calibration", "doctor", "servers", "testing", "weights"}
    assert set(yg.__all__) - set(pages) == modules
