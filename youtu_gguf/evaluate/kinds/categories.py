"""The category of an image: how it is asked, and which class of a list an answer in words means."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.files import entry, read_json
from youtu_gguf.evaluate.mean import Mean

_NO_WORD = re.compile(r"[\W_]+")
_ARTICLES = frozenset(("a", "an", "the"))
_SHORT = 3
"""Words of no more letters, such as "bus" and "gas", are taken as they are."""


@dataclass(frozen=True)
class TrueClasses:
    """What is right about an image.

    Attributes:
        numbers: The numbers of all classes that are right, at least one.
        name: The first name of the first of them.
    """

    numbers: tuple[int, ...]
    name: str


class Names:
    """Finds the class that an answer names.

    Case, accents, punctuation, articles and plurals make no difference. A name that several classes have, such as
    "crane", means all of them.

    Args:
        classes: The names of each class, separated by ", ".
        contained: Where an answer is no name, it means the longest name that it contains as whole words, the first of
            several that are equally long.
    """

    def __init__(self, classes: Sequence[str], contained: bool = True) -> None:
        self._numbers: dict[tuple[str, ...], set[int]] = {}
        for number, names in enumerate(classes):
            for name in names.split(", "):
                if words := _words(name):
                    self._numbers.setdefault(words, set()).add(number)
        self._longest = max(map(len, self._numbers), default=0) if contained else 0

    def find(self, answer: str) -> frozenset[int]:
        """Return the numbers of the classes that `answer` means; empty where it names none."""
        words = _words(answer)
        if words in self._numbers:
            return frozenset(self._numbers[words])
        starts = range(len(words))
        parts = (words[i : i + n] for i in starts for n in range(1, self._longest + 1) if i + n <= len(words))
        found = max((part for part in parts if part in self._numbers), key=lambda part: len(" ".join(part)), default=())
        return frozenset(self._numbers[found]) if found else frozenset()


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a name in a form in which spellings of one name are equal."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    words = (word for word in _NO_WORD.split(plain.replace("'s ", " ").replace("\u2019s ", " ")) if word)
    return tuple(_singular(word) for word in words if word not in _ARTICLES)


def _singular(word: str) -> str:
    """Return a word without the ending of its plural. Where that is no word, it is so in the names too."""
    if len(word) <= _SHORT or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("shes", "ches", "xes", "zes", "sses")):
        return word[:-2]
    return word.removesuffix("s")


@dataclass(frozen=True)
class Categories:
    """The model is asked for the category of an image's primary object, in its own words.

    `Sample.truth` is a `TrueClasses`, and `Data.classes` has the names of every class. A prediction's form has the text
    "answer", whose class is looked for when it is scored, or the number of a "class".
    """

    figures: tuple[Figure, ...] = (
        Figure("accuracy", "accuracy"),
        Figure("no_class", "no class", lower_is_better=True),
    )

    def ask(
        self,
        scene: yg.Scene,
        sample: Sample,  # noqa: ARG002 - every image is asked the same
        options: Mapping[str, Any],  # noqa: ARG002 - no setting matters
    ) -> Prediction:
        """Ask for the category."""
        return Prediction({"answer": scene.classify().value})

    def perfect(self, sample: Sample) -> Prediction:
        """Return the name of a true class."""
        return Prediction({"answer": sample.truth.name})

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:
        """Return an empty measure; an answer is right if it means a class that is right."""
        names = Names(data.classes, contained=options["match"] == "contained")
        return Mean(partial(_judge, names=names, n_classes=len(data.classes)))

    def baselines(
        self,
        data: Data,
        options: Mapping[str, Any],  # noqa: ARG002 - no setting matters
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the class that is right most often; of several the first."""
        counts = Counter(number for sample in data.samples for number in sample.truth.numbers)
        if not counts:
            return {}
        best = min(counts, key=lambda number: (-counts[number], number))
        name = data.classes[best].split(", ")[0]
        return {f"always {name}": lambda _sample: Prediction({"class": best})}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:  # noqa: ARG002 - ids are names
        """Return the answers in a JSON file, `{IMAGE: ANSWER, ...}`.

        IMAGE is the name of an image's file, with or without folders and extension; ANSWER is a text, or the number of
        a class.

        Raises:
            InputError: The file is of another form, or has two answers to an image.
        """
        rows = read_json(path)
        if not isinstance(rows, dict):
            raise yg.InputError(f"{path}: expected {{IMAGE: ANSWER, ...}}; got {type(rows).__name__}.")
        found: dict[str, Prediction] = {}
        for image in rows:
            name = Path(image).stem
            if name in found:
                raise yg.InputError(f"{path}, {image!r}: expected one answer to each image; {name!r} has two.")
            answer = entry(rows, image, (str, int), str(path))
            found[name] = Prediction({"answer" if isinstance(answer, str) else "class": answer})
        return found


def _judge(sample: Sample, said: Prediction | None, names: Names, n_classes: int) -> Mapping[str, float]:
    found = frozenset[int]() if said is None else _classes(sample, said, names, n_classes)
    return {"accuracy": float(not found.isdisjoint(sample.truth.numbers)), "no_class": float(not found)}


def _classes(sample: Sample, said: Prediction, names: Names, n_classes: int) -> frozenset[int]:
    where = f"the prediction of {sample.id!r}"
    if "class" not in said.form:
        return names.find(entry(said.form, "answer", str, where))
    number = entry(said.form, "class", int, where)
    if not 0 <= number < n_classes:
        raise yg.InputError(f"{where}: expected a class from 0 to {n_classes - 1}; got {number}.")
    return frozenset((number,))
