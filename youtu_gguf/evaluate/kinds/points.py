"""Instructions for which a point on a screenshot is looked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Data, Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.data.files import entry, read_json
from youtu_gguf.evaluate.mean import Mean
from youtu_gguf.types import Size

GROUPS = ("dev", "creative", "cad", "scientific", "office", "os")
"""Kinds of programs that screenshots are of."""

UI_TYPES = ("text", "icon")
"""Kinds of elements to click on."""

_COORDINATES = 2


@dataclass(frozen=True)
class Target:
    """Where to click.

    Attributes:
        xyxy: Left, top, right, bottom of the element in source pixels; its border is part of it.
        size: Of the image.
        tags: Those of `GROUPS` and `UI_TYPES` that it belongs to.
        file: Name of the file that it stands in, without its ending.
    """

    xyxy: tuple[float, float, float, float]
    size: Size
    tags: tuple[str, ...]
    file: str


@dataclass(frozen=True)
class Points:
    """The model is asked where to click.

    Samples have a `Target` as their truth, and ask with the text "instruction". Predictions have "point": x and y in
    source pixels, or None where the answer held none.
    """

    figures: tuple[Figure, ...] = (
        Figure("accuracy", "Accuracy"),
        *(Figure(name, name.upper() if name in ("cad", "os") else name.capitalize()) for name in (*GROUPS, *UI_TYPES)),
        Figure("no_point", "No point", lower_is_better=True),
    )

    def ask(self, scene: yg.Scene, sample: Sample, options: Mapping[str, Any]) -> Prediction:
        """Ask where to click. The point counts whatever the action is."""
        action = scene.click(sample.asked["instruction"], lang=options["lang"])
        return Prediction({"point": None if action.xy is None else action.xy.tolist(), "action": action.name})

    def perfect(self, sample: Sample) -> Prediction:
        """Return the middle of the element."""
        left, top, right, bottom = target_of(sample).xyxy
        return Prediction({"point": [(left + right) / 2, (top + bottom) / 2]})

    def measure(self, data: Data, options: Mapping[str, Any]) -> Measure:  # noqa: ARG002 - every sample counts alike
        """Return means over instructions, of all and of each group; NaN where a group has none."""
        return Mean(_judge)

    def baselines(
        self,
        data: Data,  # noqa: ARG002 - the same for all
        options: Mapping[str, Any],  # noqa: ARG002 - the same for all
    ) -> Mapping[str, Callable[[Sample], Prediction]]:
        """Return the middle of the image."""

        def middle(sample: Sample) -> Prediction:
            width, height = target_of(sample).size
            return Prediction({"point": [width / 2, height / 2]})

        return {"middle of the image": middle}

    def read_predictions(self, path: Path, data: Data) -> Mapping[str, Prediction]:
        """Return points from the log that ScreenSpot-Pro's own program writes.

        Its "details" have "task_filename", "prompt_to_evaluate", "bbox" and "pred": x and y in pixels, or null.
        """
        waiting: dict[tuple[Any, ...], list[Sample]] = {}
        for sample in data.samples:
            waiting.setdefault(_key(sample), []).append(sample)
        found = {}
        for number, record in enumerate(entry(read_json(path), "details", list, str(path))):
            where = f"{path}, details[{number}]"
            task, prompt = entry(record, "task_filename", str, where), entry(record, "prompt_to_evaluate", str, where)
            key = (task, prompt, *_numbers(entry(record, "bbox", list, where), where))
            if not waiting.get(key):
                raise yg.InputError(f"{where}: expected an instruction of this split, once; got {prompt!r} of {task}.")
            point = entry(record, "pred", (list, NoneType), where)
            found[waiting[key].pop(0).id] = Prediction({"point": point})
        return found


def target_of(sample: Sample) -> Target:
    """Return the truth of a sample."""
    assert isinstance(sample.truth, Target)
    return sample.truth


def _judge(sample: Sample, said: Prediction | None) -> Mapping[str, float]:
    target = target_of(sample)
    point = None if said is None else _point(sample, said)
    right = float(point is not None and _is_inside(point, target.xyxy))
    mine = {name: right if name in target.tags else math.nan for name in (*GROUPS, *UI_TYPES)}
    return {"accuracy": right, **mine, "no_point": float(point is None)}


def _is_inside(point: tuple[float, float], xyxy: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = xyxy
    return left <= point[0] <= right and top <= point[1] <= bottom


def _point(sample: Sample, said: Prediction) -> tuple[float, float] | None:
    where = f"answer to {sample.id}"
    point = entry(said.form, "point", (list, NoneType), where)
    if point is None:
        return None
    numbers = _numbers(point, where)
    if len(numbers) != _COORDINATES:
        raise yg.InputError(f"{where}: expected 'point' to be x and y; got {str(point)[:60]}.")
    return numbers[0], numbers[1]


def _key(sample: Sample) -> tuple[Any, ...]:
    target = target_of(sample)
    return (target.file, sample.asked["instruction"], *target.xyxy)


def _numbers(values: list[Any], where: str) -> tuple[float, ...]:
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(values) or not all(map(math.isfinite, numbers)):
        raise yg.InputError(f"{where}: expected finite numbers; got {str(values)[:60]}.")
    return tuple(numbers)
