"""Every fact that the code cites has its section in docs/facts.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_cited_sections_exist() -> None:
    page = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    sections = tuple(line.removeprefix("## ").lower() for line in page.splitlines() if line.startswith("## "))
    cited = set()
    for path in (ROOT / "youtu_gguf").rglob("*.py"):
        text = " ".join(path.read_text(encoding="utf-8").split())
        cited |= {found.lower() for found in re.findall(r"(?<!\w)\([Ff]acts: ([^),;]*)", text)}
    assert {section for section in cited if not section.startswith(sections)} == set()
