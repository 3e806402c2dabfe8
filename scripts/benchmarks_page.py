#!/usr/bin/env python3
"""Write docs/evaluation/benchmarks.md, which says of every benchmark what it expects and what its figures depend on.

    python scripts/benchmarks_page.py

The page is made from the benchmarks themselves, and a test holds it to them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from youtu_gguf.evaluate import BENCHMARKS, Benchmark, Setting
from youtu_gguf.evaluate.describe import published, typed

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "evaluation" / "benchmarks.md"
HEAD = """# Benchmarks

<!-- made by scripts/benchmarks_page.py -->

What each benchmark expects on the disk, how the model is asked, and everything that its figures depend on. "As
published" is said by the authors' report or code, or by the benchmark's own; "our guess" is said by no public source.
Settings in bold can be changed with `--set NAME=VALUE`. `youtu-gguf eval list NAME` prints the same.

| command | data | splits | main figure | the authors' |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page."""
    rows = "".join(_row(benchmark) for benchmark in BENCHMARKS.values())
    return HEAD + rows + "".join(_section(benchmark) for benchmark in BENCHMARKS.values())


def _row(benchmark: Benchmark) -> str:
    main = benchmark.kind.figures[0]
    cells = (f"`eval {benchmark.name}`", benchmark.title, ", ".join(benchmark.splits), main.title)
    return _line(*cells, published(benchmark, main) or "-")


def _section(benchmark: Benchmark) -> str:
    lines = [f"\n## {benchmark.title}\n", "```text", benchmark.layout.strip(), "```\n"]
    lines.append("| figure | the authors' | |\n|---|---|---|")
    for figure in benchmark.kind.figures:
        theirs = published(benchmark, figure) or "-"
        lines.append(_line(figure.title, theirs, "lower is better" if figure.lower_is_better else "").rstrip())
    lines.append("\n| setting | preset report | preset fast | known | meaning |\n|---|---|---|---|---|")
    lines += [_setting(setting).rstrip() for setting in benchmark.settings]
    return "\n".join(lines) + "\n"


def _setting(setting: Setting) -> str:
    name = f"`{setting.name}`" if setting.read is None else f"**`{setting.name}`**"
    fast = "the same" if setting.fast == setting.report else typed(setting.fast)
    return _line(name, typed(setting.report).strip(), fast, setting.known, setting.note)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
