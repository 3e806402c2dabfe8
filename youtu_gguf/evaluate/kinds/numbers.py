"""Questions whose answer is a whole number: how they are asked, and how the number of an answer is found."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.evaluate.base import Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.files import entry, read_json, read_text
from youtu_gguf.evaluate.mean import Mean

_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_NUMBERS = {**{word: number for number, word in enumerate(_WORDS)}, "no": 0, "none": 0}
_WORD = re.compile(rf"(?<![\w-])(?:{'|'.join(_NUMBERS)})(?![\w-])", re.IGNORECASE)

QUESTION, RIGHT = "question", "number"


def read_number(answer: str, words: bool = True) -> int | None:
    """Return the one whole number of an answer; None where it has none, or several different ones.

    Args:
        answer: What the model wrote.
        words: Where there are no digits, read the words "zero" to "twenty", and "no" and "none" as 0.
    """
    if not words or any(character.isdigit() for character in answer):
        return parse_count(answer).value
    said = {_NUMBERS[word.lower()] for word in _WORD.findall(answer)}
    return said.pop() if len(said) == 1 else None


@dataclass(frozen=True)
class Numbers:
    """A question is asked in words; the number of its answer is compared with the true one.

    `Sample.asked` has the text "question", and `Sample.truth` is the number. A prediction's form has the text "answer",
    in which the number is looked for when it is scored.
    """

    figures: tuple[Figure, ...] = (
        Figure("exact", "exact"),
        Figure("within_1", "within 1"),
        Figure("mean_error", "mean error", is_share=False, lower_is_better=True),
        Figure("no_number", "no number", lower_is_better=True),
    )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask the question, followed by the option "suffix"."""
        question = f"{sample.asked[QUESTION]} {options['suffix']}".strip()
        return Prediction({"answer": scene.ask(question).value})

    def perfect(self, sample: Sample) -> Prediction:
        """Return the true number."""
        return Prediction({"answer": str(sample.truth)})

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:  # noqa: ARG002 - samples have all it needs
        """Return an empty measure.

        The mean error is that of answers with a number; the other figures are shares of all questions.
        """
        return Mean(partial(_judge, words=options["number_words"] == "yes"))

    def baselines(
        self,
        data: Data,
        options: Mapping[str, Any],  # noqa: ARG002 - no setting matters
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the number that is right most often; of several the smallest."""
        counts = Counter(sample.truth for sample in data.samples)
        if not counts:
            return {}
        best = min(counts, key=lambda number: (-counts[number], number))
        return {f"always {best}": lambda _sample: Prediction({"answer": str(best)})}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:  # noqa: ARG002 - ids are in the file
        """Return the answers in a results file.

        Either a list in JSON of objects with `question_id` and `answer`, as evaluations of visual question answering
        take it, or a table with the columns `index` and `prediction` (".tsv", or ".csv"), as VLMEvalKit writes it.

        Raises:
            InputError: The file is neither, or has two answers to a question.
        """
        rows = _table(path) if path.suffix.lower() in (".tsv", ".csv") else _results(path)
        found: dict[str, Prediction] = {}
        for name, answer, where in rows:
            if name in found:
                raise yg.InputError(f"{where}: expected one answer to each question; {name!r} has two.")
            found[name] = Prediction({"answer": answer})
        return found


def _judge(sample: Sample, said: Prediction | None, words: bool) -> Mapping[str, float]:
    number = None if said is None else read_number(_answer(sample, said), words)
    if number is None:
        return {"exact": 0.0, "within_1": 0.0, "mean_error": float("nan"), "no_number": 1.0}
    error = abs(number - sample.truth)
    return {"exact": float(error == 0), "within_1": float(error <= 1), "mean_error": float(error), "no_number": 0.0}


def _answer(sample: Sample, said: Prediction) -> str:
    return entry(said.form, "answer", str, f"the prediction of {sample.id!r}")


def _results(path: Path) -> list[tuple[str, str, str]]:
    """Return the id, the answer and the place of every entry of a JSON file."""
    rows = read_json(path)
    if not isinstance(rows, list):
        raise yg.InputError(
            f"{path}: expected a list of objects with 'question_id' and 'answer'; got {type(rows).__name__}."
        )
    found = []
    for number, row in enumerate(rows):
        where = f"{path}, [{number}]"
        answer = entry(row, "answer", (str, int), where)
        found.append((str(entry(row, "question_id", (str, int), where)), str(answer), where))
    return found


def _table(path: Path) -> list[tuple[str, str, str]]:
    """Return the same of every row of a table."""
    lines = read_text(path).splitlines(keepends=True)
    rows = csv.DictReader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    found = []
    try:
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            if row.get("index") is None or row.get("prediction") is None:
                raise yg.InputError(f"{where}: expected the columns 'index' and 'prediction'; got {rows.fieldnames}.")
            found.append((row["index"], row["prediction"], where))
    except csv.Error as exc:
        raise yg.InputError(f"{path}, line {rows.line_num}: expected a table; {exc}.") from exc
    return found
