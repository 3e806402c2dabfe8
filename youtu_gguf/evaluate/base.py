"""What a benchmark is: its data, how the model is asked about them, and how answers are measured.

A benchmark joins two things. A reader knows how a data set lies on the disk and gives `Data`; a `Kind` knows how a
sample is asked, and how answers are compared with the truth. Everything that the authors' figures depend on is a
`Setting`, which says whether it has been published or is a guess of ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

import youtu_gguf as yg
from youtu_gguf.types import Size

F64 = npt.NDArray[np.float64]

Known = Literal["as published", "our guess"]
"""Where a setting is from."""

Preset = Literal["report", "fast"]
"""Settings to choose from: those of the authors' report, as far as these are known, or cheaper ones."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One question of a benchmark.

    Attributes:
        id: Its name, unique in the data and the same in every run.
        image: The file of its image.
        asked: What the question is made of, such as a phrase; empty where every image is asked the same.
        truth: What is right, as the benchmark's kind needs it. Pixels are read when they are compared, not before: it
            holds their file.
        size: What the data say the size of the image is, upright; None where they do not. An image of another size is
            a copy that the truth does not fit.
    """

    id: str
    image: Path
    asked: Mapping[str, Any] = field(default_factory=dict)
    truth: Any = None
    size: Size | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """The samples of a split of a data set, in an order that does not depend on the machine.

    Attributes:
        samples: The samples. Their images lie below `folder`.
        folder: Where the data set lies.
        classes: Names of its classes, in the order of their numbers; empty where there are none.
    """

    samples: Sequence[Sample]
    folder: Path
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was answered to a sample, in the source frame.

    Attributes:
        form: The answer as JSON.
        png: Pixels that belong to it, as the bytes of a PNG file or its path; None where there are none.
    """

    form: Mapping[str, Any]
    png: bytes | Path | None = None

    def read_png(self) -> bytes:
        """Return the bytes of the PNG file.

        Raises:
            InputError: There is none, or it cannot be read.
        """
        if isinstance(self.png, bytes):
            return self.png
        if self.png is None:
            raise yg.InputError("expected a prediction with pixels; got one without.")
        try:
            return self.png.read_bytes()
        except OSError as exc:
            raise yg.InputError(f"expected a prediction in {self.png}; got: {exc.strerror}.") from exc


@dataclass(frozen=True)
class Setting:
    """Something that a benchmark's figures depend on.

    Attributes:
        name: As in `--set NAME=VALUE`, and in the options that a kind is given.
        report: Its value in the preset "report"; where it cannot be chosen, what it is, in words.
        fast: Its value in the preset "fast".
        known: Where the value in the preset "report" is from.
        note: What it means, and what else it might be where it is a guess. A sentence for users.
        read: Makes a value of a text, and raises `InputError` for one that cannot be used; None where the setting
            cannot be chosen.
    """

    name: str
    report: Any
    fast: Any
    known: Known
    note: str
    read: Callable[[str], Any] | None = None


@dataclass(frozen=True)
class Figure:
    """A number that says how good answers are.

    Attributes:
        name: Its key in JSON.
        title: As tables head it.
        is_share: It lies in 0..1 and is printed in percent.
        lower_is_better: As for errors.
    """

    name: str
    title: str
    is_share: bool = True
    lower_is_better: bool = False


class Measure(ABC):
    """Compares answers with the truth, one by one, and keeps of each image what its figures are made of.

    So figures can be made again for images that are drawn with repetition, which is how their spread is found out.

    Attributes:
        draws: How often that is done; fewer where figures take long.
    """

    draws: ClassVar[int] = 1000

    def __init__(self) -> None:
        self._numbers: dict[Path, int] = {}

    @property
    def n_images(self) -> int:
        """How many images the samples so far are about."""
        return len(self._numbers)

    def image_number(self, sample: Sample) -> int:
        """Return the number of a sample's image, counted from 0 in the order in which images came."""
        return self._numbers.setdefault(sample.image, len(self._numbers))

    @abstractmethod
    def add(self, sample: Sample, said: Prediction | None) -> None:
        """Compare the answer to a sample with its truth. None, for a question that failed, is wrong.

        Raises:
            InputError: The truth cannot be read, or the answer is of no form that the kind knows.
        """

    @abstractmethod
    def figures(self, weights: F64 | None = None) -> dict[str, float]:
        """Return the figures of the samples so far by name; NaN where there is nothing to say.

        Args:
            weights: (n_images,) how often each image counts; None for once.
        """


class Kind(Protocol):
    """How samples of one kind are asked, and how answers are measured."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures, the main one first."""
        ...

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask the model about a sample.

        Args:
            scene: Its image.
            sample: The sample; its truth is not looked at.
            options: Values of the benchmark's settings by name.

        Raises:
            YoutuError: It cannot be asked, or the answer is unusable.
        """
        ...

    def perfect(self, sample: Sample) -> Prediction:
        """Return the truth as if it had been answered, with which every share is exactly 1.

        Raises:
            InputError: The truth cannot be read.
        """
        ...

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:
        """Return an empty measure for samples of `data`.

        Raises:
            InputError: The options do not fit together, or a package that is needed is not installed.
        """
        ...

    def baselines(self, data: Data, options: Mapping[str, Any]) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return what answers without looking at the image, by a name that says how. These are made from the truth.

        Raises:
            InputError: The truth cannot be read.
        """
        ...

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return answers of any model by the id of their sample, from files in the form that is usual in the field.

        Raises:
            InputError: There are none in a form that is known.
        """
        ...


@dataclass(frozen=True, eq=False)
class Benchmark:
    """A data set on the user's disk, and how a model's answers about it become figures.

    Attributes:
        name: As it is typed.
        title: Its name in print.
        layout: Files that are expected below the folder of the data, and where people get them. Lines of text.
        splits: Parts of the data to choose from, the usual one first.
        settings: Everything that figures depend on.
        kind: How samples are asked, and answers measured.
        read: Reads a split of the data set in a folder. Raises `InputError` with file and line for what is broken.
        published: The authors' figures: by split, by name of the figure.
    """

    name: str
    title: str
    layout: str
    splits: tuple[str, ...]
    settings: tuple[Setting, ...]
    kind: Kind
    read: Callable[[Path, str], Data]
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def options(self, preset: Preset = "report", changed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the value of every setting by name: the preset's, and those that are `changed`.

        Raises:
            InputError: One that is changed does not exist, or cannot be chosen.
        """
        values = {setting.name: getattr(setting, preset) for setting in self.settings}
        free = [setting.name for setting in self.settings if setting.read is not None]
        for name in changed or {}:
            if name not in free:
                raise yg.InputError(f"{self.name} has the settings {', '.join(free)}; got {name!r}.")
        return {**values, **(changed or {})}
