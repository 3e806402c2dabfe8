"""The words of the page: every module's table has both languages, and the same values in both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from youtu_gguf.serve.page import FOLDER, page_files

MODULES = sorted(FOLDER.glob("*.js"))

TEXT = r'"((?:[^"\\]|\\.)*)"'
TABLE = re.compile(r'\bwords\(\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}\)')
PAIR = re.compile(rf"(\w+): \[\s*{TEXT},\s*{TEXT},?\s*\],?")
COMMENT = re.compile(r"^\s*//.*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"\{\w+\}")
HAN = re.compile(r"[\u4e00-\u9fff]")
SAME = re.compile(
    r"[^A-Za-z]*|(?:(?:COCO|LabelMe|YOLO|PNG|NPZ|PLY|CSV|JSON|JSONL|ZIP|OpenAPI|curl|Python|RLE|px|m|s|kB|MB|A|B)\W*)+"
)
"""Texts that are the same in both languages: numbers, signs, units and names of formats."""


def tables(module: Path) -> list[str]:
    return [COMMENT.sub("", body) for body in TABLE.findall(module.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_every_text_of_a_module_stands_in_both_languages(module: Path) -> None:
    for body in tables(module):
        assert PAIR.sub("", body).strip() == ""
        for name, english, chinese in PAIR.findall(body):
            without = VALUE.sub("", chinese)
            assert HAN.search(without) or SAME.fullmatch(without.strip()), f"{name}: {chinese!r} is not Chinese"
            assert not HAN.search(english), f"{name}: {english!r} is not English"
            assert sorted(set(VALUE.findall(english))) == sorted(set(VALUE.findall(chinese))), name


def test_the_page_takes_less_than_200_kilobytes_as_it_is_sent() -> None:
    assert sum(len(file.packed or file.body) for file in page_files().values()) < 200_000
