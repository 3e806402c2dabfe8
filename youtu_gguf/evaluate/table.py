"""Figures beside the authors', as a table: with intervals, baselines, and what is known about settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import youtu_gguf as yg
from youtu_gguf.evaluate.describe import in_print, typed
from youtu_gguf.evaluate.figures import FIGURES, Scored, Scores

COLUMNS = ("figure", "value", "95 % interval", "authors", "best baseline")
"""What a row says of a figure."""

NONE = "-"

SHOWN_DIGITS = 8
"""Of a fingerprint; enough to tell models apart."""


def find_scores(folders: Sequence[str | Path]) -> list[Scores]:
    """Read the figures in folders of runs, or in folders that hold such folders.

    Raises:
        InputError: There are none, or they are broken.
    """
    found: list[Scores] = []
    for given in folders:
        folder = Path(given)
        inner = [folder] if (folder / FIGURES).exists() else sorted(path.parent for path in folder.glob(f"*/{FIGURES}"))
        if not inner:
            raise yg.InputError(f"expected {FIGURES} in {folder} or in a folder there. Run an evaluation first.")
        found += map(Scores.read, inner)
    return found


def markdown(several: Sequence[Scores]) -> str:
    """Return the figures of several runs as one table in Markdown, with notes below it.

    Notes say which settings are a guess of ours, and which are not those of the authors' report.
    """
    lines: list[tuple[str, ...]] = [("benchmark", "split", *COLUMNS, "samples", "failed", "model")]
    lines.append(("---",) * len(lines[0]))
    for scores in several:
        end = (asked(scores), f"{scores.failed:,}", model_of(scores))
        lines += [(scores.title, scores.split, *row, *end) for row in rows(scores)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return "\n".join([table, "", *(f"- {note}" for note in notes(several))]) + "\n"


def text(several: Sequence[Scores]) -> str:
    """Return the figures of several runs for a terminal: a block for each run."""
    lines: list[tuple[str, ...]] = [row for scores in several for row in rows(scores)]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *lines, strict=True)]
    blocks = []
    for scores in several:
        counts = f"samples: {asked(scores)}, images: {scores.images:,}, failed: {scores.failed:,}"
        counts += f", model: {model_of(scores)}" if len(several) > 1 else ""
        block = [f"{scores.title}, {scores.split} ({counts})"]
        for row in (COLUMNS, *rows(scores)):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            block.append(f"  {'  '.join(cells)}".rstrip())
        blocks.append("\n".join(block))
    return "\n\n".join([*blocks, "\n".join(notes(several))])


def rows(scores: Scores) -> list[tuple[str, ...]]:
    """Return a row for each figure, under `COLUMNS`."""
    found: list[tuple[str, ...]] = []
    for name, figure in scores.figures.items():
        interval = NONE if figure.low is None else f"{_shown(figure.low, figure)} to {_shown(figure.high, figure)}"
        published = _shown(scores.published.get(name), figure)
        baseline = _best_baseline(scores, name, figure)
        found.append((figure.title, _shown(figure.value, figure), interval, published, baseline))
    return found


def asked(scores: Scores) -> str:
    """Return how many samples count, in print."""
    return f"{scores.n:,}" if scores.n == scores.of else f"{scores.n:,} of {scores.of:,}"


def model_of(scores: Scores) -> str:
    """Return the beginning of the fingerprint of the model's files, or the name that a server has for it."""
    model = scores.model.get("model") if isinstance(scores.model, dict) else None
    known = model if isinstance(model, dict) else {}
    return str(known["fingerprint"])[:SHOWN_DIGITS] if "fingerprint" in known else str(known.get("name") or NONE)


def notes(several: Sequence[Scores]) -> list[str]:
    """Return what must be known to compare the figures: settings that are a guess, and those that were changed."""
    found = []
    for scores in several:
        where = f"{scores.title}, {scores.split}"
        for known, words in (("our guess", "settings that are our guess"), ("changed", "settings not the report's")):
            named = [
                f"{name} {typed(option.value)}" for name, option in scores.options.items() if option.known == known
            ]
            found += [f"{where}: {words}: {'; '.join(named)}."] if named else []
    return list(dict.fromkeys(found))


def _shown(value: float | None, figure: Scored) -> str:
    return NONE if value is None else in_print(value, is_share=figure.is_share)


def _best_baseline(scores: Scores, name: str, figure: Scored) -> str:
    """Return the baseline that is hardest to beat."""
    known = [(value, said) for said, value in _baselines(scores, name)]
    if not known:
        return NONE
    value, said = (min if figure.lower_is_better else max)(known)
    return f"{_shown(value, figure)} ({said})"


def _baselines(scores: Scores, name: str) -> Iterator[tuple[str, float]]:
    for said, figures in scores.baselines.items():
        value = figures.get(name)
        if value is not None:
            yield said, value
