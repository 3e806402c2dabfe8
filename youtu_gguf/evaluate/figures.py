"""The figures of an exam with all that they depend on, and the file figures.json that holds them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import youtu_gguf as yg
from youtu_gguf.atomic import json_bytes
from youtu_gguf.output import write_bytes

FIGURES = "figures.json"

SCHEMA = 1
"""Raised when what figures.json holds changes its meaning."""

CHANGED = "changed"
"""What is known about an option whose value is not the one in the preset "report"."""


@dataclass(frozen=True)
class Scored:
    """A figure with its 95 % interval.

    Attributes:
        title: As tables head it.
        value: The figure; None where there is nothing to say.
        low: The lower end of the interval; None where there is none.
        high: The upper end.
        is_share: It lies in 0..1 and is printed in percent.
        lower_is_better: As for errors.
    """

    title: str
    value: float | None
    low: float | None
    high: float | None
    is_share: bool
    lower_is_better: bool


@dataclass(frozen=True)
class Option:
    """A setting as it was.

    Attributes:
        value: Its value; as it is typed where that is neither a number nor None.
        known: "as published" or "our guess", of the value in the preset "report"; "changed" if this is another value.
    """

    value: Any
    known: str


@dataclass(frozen=True)
class Scores:
    """The figures of an exam, and all that they depend on.

    Attributes:
        benchmark: Name of the benchmark.
        title: Its name in print.
        split: Which part of the data.
        preset: The settings that were started from.
        options: Every setting, by name.
        model: What is known about the model, as in settings.json; None for predictions that were read from files.
        n: Samples that count.
        of: Samples in the split.
        images: Images that the samples are about.
        limit: How many samples were wanted at most; None for all.
        seed: Which ones these are.
        failed: Samples without an answer, which count as wrong.
        figures: By name, the main one first.
        baselines: Figures of answers that do not depend on the image: by name of the baseline, by name of the figure.
        published: The authors' figures by name.
        seconds: How long answering took; None where that is not known.
        versions: Of this package and of NumPy.
    """

    benchmark: str
    title: str
    split: str
    preset: str
    options: Mapping[str, Option]
    model: Any
    n: int
    of: int
    images: int
    limit: int | None
    seed: int
    failed: int
    figures: Mapping[str, Scored]
    baselines: Mapping[str, Mapping[str, float | None]]
    published: Mapping[str, float]
    seconds: float | None
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {"schema": SCHEMA, **asdict(self)}

    def save(self, folder: str | Path) -> None:
        """Write figures.json.

        Raises:
            OutputError: It cannot be written.
        """
        write_bytes(Path(folder) / FIGURES, json_bytes(self.to_json(), indent=2))

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read figures.json.

        Raises:
            InputError: It is missing or broken, or another version of this package has written it.
        """
        path = Path(folder) / FIGURES
        try:
            form = json.loads(path.read_bytes())
            if form["schema"] != SCHEMA:
                raise yg.InputError(f"{path} is of another version of this package. Score the folder again.")
            values = {field.name: form[field.name] for field in fields(cls)}
            values["options"] = {name: Option(**option) for name, option in values["options"].items()}
            values["figures"] = {name: Scored(**figure) for name, figure in values["figures"].items()}
            return cls(**values)
        except OSError as exc:
            raise yg.InputError(f"expected figures in {path}; got: {exc.strerror}. Run the evaluation first.") from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise yg.InputError(f"expected figures in {path}; got: {exc!r}. Score the folder again.") from exc


def number(value: float) -> float | None:
    """Return a figure as JSON has it: None for NaN."""
    return None if math.isnan(value) else value
