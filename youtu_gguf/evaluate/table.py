"""Figures beside the authors', as a table: with intervals, baselines, and what is known about settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import youtu_gguf as yg
from youtu_gguf.evaluate.describe import in_print
from youtu_gguf.evaluate.figures import FIGURES, Scored, Scores

COLUMNS = ("benchmark", "split", "figure", "value", "95 % interval", "authors", "best baseline", "samples", "failed")

NONE = "-"


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


def rows(scores: Scores) -> list[tuple[str, ...]]:
    """Return the rows of a table, one for each figure, under `COLUMNS`."""
    found: list[tuple[str, ...]] = []
    for name, figure in scores.figures.items():
        published = scores.published.get(name)
        found.append(
            (
                scores.title,
                scores.split,
                figure.title,
                shown(figure.value, figure),
                NONE if figure.low is None else f"{shown(figure.low, figure)} to {shown(figure.high, figure)}",
                shown(published, figure),
                _best_baseline(scores, name, figure),
                f"{scores.n:,}" if scores.n == scores.of else f"{scores.n:,} of {scores.of:,}",
                f"{scores.failed:,}",
            )
        )
    return found


def notes(several: Sequence[Scores]) -> list[str]:
    """Return what must be known to compare the figures: settings that are a guess, and those that were changed."""
    found = []
    for scores in several:
        where = f"{scores.title}, {scores.split}"
        for known, words in (("our guess", "settings that are our guess"), ("changed", "settings not the report's")):
            named = [f"{name} {option.value}" for name, option in scores.options.items() if option.known == known]
            found += [f"{where}: {words}: {'; '.join(named)}."] if named else []
    return list(dict.fromkeys(found))


def markdown(several: Sequence[Scores]) -> str:
    """Return the table of several runs, with its notes, in Markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row for scores in several for row in rows(scores))]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return "\n".join([table, "", *(f"- {note}" for note in notes(several))]) + "\n"


def shown(value: float | None, figure: Scored) -> str:
    """Return a figure in print."""
    return NONE if value is None else in_print(value, is_share=figure.is_share)


def _best_baseline(scores: Scores, name: str, figure: Scored) -> str:
    """Return the baseline that is hardest to beat."""
    known = [(value, said) for said, value in _baselines(scores, name)]
    if not known:
        return NONE
    value, said = (min if figure.lower_is_better else max)(known)
    return f"{shown(value, figure)} ({said})"


def _baselines(scores: Scores, name: str) -> Iterator[tuple[str, float]]:
    for said, figures in scores.baselines.items():
        value = figures.get(name)
        if value is not None:
            yield said, value
