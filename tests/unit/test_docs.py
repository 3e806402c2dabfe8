"""README and docs: links lead somewhere, and both languages show the same commands and code."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "evaluation").glob("*.md")])
TRANSLATED = ("README.md", "docs/tasks.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose(path: Path) -> str:
    """Return a page without its fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text(path)))


def spans(path: Path) -> set[str]:
    """Return what a page shows as code within its sentences."""
    return set(re.findall(r"`([^`\n]+)`", FENCE.sub("", text(path))))


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them: the second of one name ends in -1."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text(path)), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.append(re.sub(r"[^\w -]", "", shown.lower()).replace(" ", "-"))
    return {name if found[:i].count(name) == 0 else f"{name}-{found[:i].count(name)}" for i, name in enumerate(found)}


def links(path: Path) -> list[str]:
    """Return the targets of a page's links and images that lie in this repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(path)) + re.findall(r'(?:src|href)="([^"]+)"', prose(path))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def translation(page: str) -> Path:
    return (ROOT / page).with_suffix(".zh.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    dead = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", TRANSLATED)
def test_both_languages_show_the_same_commands_and_code(page: str) -> None:
    english = FENCE.findall(text(ROOT / page))
    assert {language for language, _ in english} <= {"sh", "python", "text"}
    assert FENCE.findall(text(translation(page))) == english


@pytest.mark.parametrize("page", TRANSLATED)
def test_both_languages_have_the_same_headings_images_and_tables(page: str) -> None:
    for pattern in (r"^#+ ", r"!\[[^\]]*\]\(([^)]*)\)", r"^\|"):
        english, chinese = (re.findall(pattern, prose(path), re.MULTILINE) for path in (ROOT / page, translation(page)))
        assert chinese == english


@pytest.mark.parametrize("page", TRANSLATED)
def test_each_language_leads_to_the_other_at_its_top(page: str) -> None:
    english, chinese = ROOT / page, translation(page)
    assert f"]({chinese.name})" in "".join(text(english).splitlines(keepends=True)[:4])
    assert f"]({english.name})" in "".join(text(chinese).splitlines(keepends=True)[:4])


@pytest.mark.parametrize("page", TRANSLATED)
def test_the_chinese_page_has_every_figure_and_name_of_the_english_one(page: str) -> None:
    english, chinese = prose(ROOT / page), prose(translation(page))
    figure = r"\d+(?:[.,]\d+)*"
    assert Counter(re.findall(figure, english)) - Counter(re.findall(figure, chinese)) == Counter()
    assert spans(ROOT / page) == spans(translation(page))
