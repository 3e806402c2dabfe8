"""What else nano should be able to do with a scene: lists of classes, scales, instances, Chinese, turns.

An answer that cannot be read counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

import youtu_gguf as yg
from scripts.nano import measures
from scripts.nano.answers import count, name, plural
from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.measures import NO_DATA
from scripts.nano.questions import (
    CORE_CROP_PX,
    category_samples,
    counting_samples,
    grounding_samples,
    some_kinds,
    two_kinds,
    two_there,
)
from scripts.nano.scenes import CLASSES, THINGS, Scene
from youtu_gguf.evaluate.base import Prediction
from youtu_gguf.evaluate.kinds.grounding import Grounding
from youtu_gguf.evaluate.kinds.numbers import Numbers
from youtu_gguf.prompts import ENGLISH


class Ability(Protocol):
    """A group of figures about scenes."""

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Ask about a scene."""
        ...

    def figures(self) -> dict[str, float]:
        """Return the figures; none where nothing was asked."""
        ...


class Means:
    """Figures that are means."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def note(self, name: str, value: float) -> None:
        """Add a value to the mean of that name."""
        self._values.setdefault(name, []).append(float(value))

    def figures(self) -> dict[str, float]:
        """Return the means."""
        return {name: float(np.mean(values)) for name, values in self._values.items()}


class Asked:
    """Boxes and masks of all classes, asked for by name."""

    def __init__(self) -> None:
        self._boxes, self._masks = measures.Detections(), measures.Detections()

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Ask for the boxes and for the masks, the latter in small crops."""
        boxes = scene.detect(THINGS)
        self._boxes.add(truth, boxes.xyxy, boxes.labels)
        found = scene.instances(THINGS, crop_size=CORE_CROP_PX)
        self._masks.add(truth, found.xyxy, found.labels, found.masks)

    def figures(self) -> dict[str, float]:
        """Return both average precisions."""
        if not self._boxes.n_images:
            return {}
        return {"detect_asked_ap50": self._boxes.ap50(), "instances_ap50": self._masks.ap50()}


class Listed(Means):
    """Whether nano keeps to a short list of names: it answers with those that are there, all of them and no other."""

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Ask for the boxes and for the label map of one to three kinds, and for the map of two classes, both there."""
        asked = some_kinds(truth)
        here = {thing.kind for thing in truth.things} & {*asked}
        self.note("detect_some_exact", {*scene.detect(asked).labels} == here)
        self.note("segment_some_exact", {*scene.segment(asked).classes} == here)
        two = two_there(truth)
        self.note("segment_two_exact", {*scene.segment(two).classes} == {*two})


class DefaultCrop(Means):
    """Masks in true boxes, at the crop size that the package takes unless told otherwise."""

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Ask for the mask of every thing."""
        for thing in truth.things:
            self.note("core_default_miou", measures.mask_iou(scene.refer(box=thing.box).bits, thing.mask))


class Scales:
    """Label maps at twice the size and in tiles, beside those of one look at the same scenes."""

    WAYS: Mapping[str, Mapping[str, object]] = {
        "one_look_miou": {}, "zoom2_miou": {"zoom": 2.0}, "tiles_miou": {"zoom": 2.0, "tiles": (2, 2)},
    }  # fmt: skip

    def __init__(self) -> None:
        self._maps = {way: measures.Confusion() for way in self.WAYS}

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Segment in every way."""
        for way, options in self.WAYS.items():
            found = scene.segment(CLASSES, present="all", **options)  # type: ignore[arg-type]
            self._maps[way].add(truth, found.ids, found.classes)

    def figures(self) -> dict[str, float]:
        """Return the mean IoU of each way."""
        return {way: found.mean() for way, found in self._maps.items() if found.n_images}


class Chinese(Means):
    """The first tasks in Chinese, with Chinese names; each figure is named `zh_` and the English one."""

    def __init__(self) -> None:
        super().__init__()
        self._maps, self._boxes = measures.Confusion(), measures.Detections()
        self._grounded = Grounding().measure(NO_DATA, {})
        self._counted = Numbers().measure(NO_DATA, {"number_words": "no"})
        self._described: list[tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]] = []
        self._english = {chinese: english for english, chinese in CHINESE_NAMES.items()}

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Ask what `evaluate.Tally` asks in English."""
        found = scene.segment([CHINESE_NAMES[label] for label in CLASSES], present="all", lang="zh")
        self._maps.add(truth, found.ids, self._to_english(found.classes))
        boxes = scene.detect(lang="zh")
        self._boxes.add(truth, boxes.xyxy, self._to_english(boxes.labels))
        for sample in grounding_samples(truth):
            xyxy = scene.ground(name(sample.asked["sent"], "zh"), lang="zh").xyxy
            self._grounded.add(sample, Prediction({"box": xyxy[0].tolist() if len(xyxy) else None}))
        for sample in counting_samples(truth):
            answer = scene.count(name(sample.asked["what"], "zh"), lang="zh").raw
            self._counted.add(sample, Prediction({"answer": answer}))
        for sample in category_samples(truth):
            answer = scene.classify(lang="zh").value
            self.note("zh_classify_accuracy", answer == CHINESE_NAMES[sample.truth.name])
        digits = [thing.digits for thing in truth.things if thing.digits]
        if digits:
            self.note("zh_ocr_exact", scene.ocr(lang="zh").value == " ".join(digits))
        described = measures.named_in_chinese(scene.describe(lang="zh").value)
        self._described.append((described, Counter((t.colour, t.kind) for t in truth.things)))

    def _to_english(self, names: Sequence[str]) -> list[str]:
        return [self._english.get(label, label) for label in names]

    def figures(self) -> dict[str, float]:
        """Return the figures of each task."""
        if not self._maps.n_images:
            return {}
        return {
            "zh_segment_all_miou": self._maps.mean(),
            "zh_detect_ap50": self._boxes.ap50(),
            "zh_ground_acc50": self._grounded.figures()["accuracy"],
            "zh_count_exact": self._counted.figures()["exact"],
            **super().figures(),
            "zh_describe_f1": measures.f1(self._described),
        }


class Turns(Means):
    """A question that cannot be understood without the one before it."""

    def add(self, truth: Scene, scene: yg.Scene) -> None:
        """Count one kind, then another without saying what to do."""
        first, second = two_kinds(truth)
        with scene.chat() as chat:
            chat.ask(ENGLISH.count.format(first))
            self.note("chat_exact", chat.ask(f"And how many {plural(second)}?").value == str(count(truth, second)))


ABILITIES: Mapping[str, type[Ability]] = {
    "asked": Asked, "listed": Listed, "default": DefaultCrop, "scales": Scales, "chinese": Chinese, "turns": Turns,
}  # fmt: skip
"""By the name of the group on the command line."""

MOST_LOST = 0.03
"""By how much Chinese, zoom and tiles may stay behind their plain forms."""


def differences(figures: Mapping[str, float]) -> dict[str, float]:
    """Return how much better each Chinese figure is than its English twin, and zoom and tiles than one look."""
    pairs = {name: name.removeprefix("zh_") for name in figures if name.startswith("zh_")}
    pairs |= {way: "one_look_miou" for way in Scales.WAYS if way != "one_look_miou"}
    return {name: figures[name] - figures[plain] for name, plain in pairs.items() if {name, plain} <= figures.keys()}
