"""What nano should be able to do beyond the first tasks: lists of classes, scales, instances, Chinese, turns, screens.

Each ability asks about its own images and adds to figures of its own; what is slow is asked about the first few only.
An answer that cannot be read counts as wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Protocol

import numpy as np
import numpy.typing as npt

import youtu_gguf as yg
from scripts.nano import measures
from scripts.nano.answers import count, name, plural
from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.lessons import REFUSAL
from scripts.nano.questions import phrases
from scripts.nano.scenes import CLASSES, TEST_SEEDS, THINGS, Scene
from scripts.nano.screen_lessons import texts
from scripts.nano.screen_words import element_phrase, instruction
from scripts.nano.screens import Screen, draw_screen
from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Lang

SLOW_SCENES = 12
"""Scenes with crops at the package's default of 1,280 px, which take a hundred times as long as nano's own 224."""
SCALED_SCENES = 60
N_STRANGERS = 100
FLAT_SHARE, FLAT_DEPTH = 0.95, 0.05
"""Share of pixels that must be background, and most deviation of the depth from its mean, relative to that."""


class Ability(Protocol):
    """Something that is measured on the scenes, or on images of its own."""

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        """Ask about the scene number `index`."""
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
    """Boxes and instances of all classes, asked for by name."""

    def __init__(self) -> None:
        self._boxes, self._masks = measures.Detections(), measures.Detections()

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        found = scene.detect(THINGS, scores=True)
        self._boxes.add(truth, found.xyxy, found.labels, scores=found.scores)
        if index < SLOW_SCENES:
            masked = scene.instances(THINGS)
            self._masks.add(truth, masked.xyxy, masked.labels, masked.masks, masked.scores)

    def figures(self) -> dict[str, float]:
        found = {"detect_asked_ap50": self._boxes.ap50()} if self._boxes.n_images else {}
        return found | ({"instances_ap50": self._masks.ap50()} if self._masks.n_images else {})


class DefaultCrop(Means):
    """Masks in true boxes, at the crop size that the package takes unless told otherwise."""

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        for thing in truth.things if index < SLOW_SCENES else ():
            self.note("core_default_miou", measures.mask_iou(scene.refer(box=thing.box).bits, thing.mask))


class Scales:
    """Label maps at twice the size and in tiles, beside those of one look at the same scenes."""

    WAYS: Mapping[str, Mapping[str, object]] = {
        "one_look_miou": {}, "zoom2_miou": {"zoom": 2.0}, "tiles_miou": {"zoom": 2.0, "tiles": (2, 2)},
    }  # fmt: skip

    def __init__(self) -> None:
        self._maps = {way: measures.Confusion() for way in self.WAYS}

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        for way, options in self.WAYS.items() if index < SCALED_SCENES else ():
            found = scene.segment(CLASSES, present="all", refine="guided", **options)  # type: ignore[arg-type]
            self._maps[way].add(truth, found.ids, found.classes)

    def figures(self) -> dict[str, float]:
        return {way: found.mean() for way, found in self._maps.items() if found.n_images}


class Chinese(Means):
    """The first tasks in Chinese, with Chinese names; figures are `zh_` and the name of the English one."""

    def __init__(self) -> None:
        super().__init__()
        self._maps, self._boxes = measures.Confusion(), measures.Detections()
        self._described: list[tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]] = []
        self._english = {chinese: english for english, chinese in CHINESE_NAMES.items()}

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        del index
        names = [CHINESE_NAMES[label] for label in CLASSES]
        found = scene.segment(names, present="all", refine="guided", lang="zh")
        self._maps.add(truth, found.ids, self._to_english(found.classes))
        boxes = scene.detect(lang="zh")
        self._boxes.add(truth, boxes.xyxy, self._to_english(boxes.labels))
        for phrase, which in phrases(truth):
            answer = scene.ground(name(phrase, "zh"), lang="zh").xyxy
            right = len(answer) and measures.box_iou(answer[0], truth.things[which].box) >= 0.5
            self.note("zh_ground_acc50", bool(right))
        for what in ("object", truth.things[0].kind):
            self.note("zh_count_exact", scene.count(name(what, "zh"), lang="zh").value == count(truth, what))
        digits = [thing.digits for thing in truth.things if thing.digits]
        if digits:
            self.note("zh_ocr_exact", scene.ocr(lang="zh").value == " ".join(digits))
        described = measures.named_in_chinese(scene.describe(lang="zh").value)
        self._described.append((described, Counter((t.colour, t.kind) for t in truth.things)))

    def _to_english(self, names: tuple[str, ...]) -> list[str]:
        return [self._english.get(label, label) for label in names]

    def figures(self) -> dict[str, float]:
        if not self._maps.n_images:
            return {}
        maps = {"zh_segment_all_miou": self._maps.mean(), "zh_detect_ap50": self._boxes.ap50()}
        return maps | super().figures() | {"zh_describe_f1": measures.f1(self._described)}


class Turns(Means):
    """A question that leans on the one before it."""

    def add(self, index: int, truth: Scene, scene: yg.Scene) -> None:
        first, second = truth.things[0].kind, THINGS[index % len(THINGS)]
        with scene.chat() as chat:
            chat.ask(f"How many {first} are there in the image? Output the final answer as a single number.")
            self.note("chat_exact", chat.ask(f"And how many {plural(second)}?").value == str(count(truth, second)))


ABILITIES: Mapping[str, type[Ability]] = {
    "asked": Asked, "default": DefaultCrop, "scales": Scales, "chinese": Chinese, "turns": Turns,
}  # fmt: skip
"""By the name that the command line has for each; measured on the scenes."""


def screen_figures(model: yg.Model, n: int, seed: int) -> dict[str, float]:
    """Ask for places and texts on `n` screens that were never trained on."""
    means = Means()
    for number in range(n):
        screen = draw_screen(TEST_SEEDS + seed * 1_000_000 + number)
        with closing(model.open(screen.rgb)) as scene:
            _ask_screen(screen, scene, means, np.random.default_rng(screen.seed))
    return means.figures()


def _ask_screen(screen: Screen, scene: yg.Scene, means: Means, rng: np.random.Generator) -> None:
    lang = screen.lang
    able = [element for element in screen.elements if element.kind != "window"]
    for number in rng.permutation(len(able))[:3]:
        element = able[number]
        x1, y1, x2, y2 = element.box
        asked = instruction(element.kind, element.text, lang, int(number) % 2)
        xy = _point(scene, asked, lang)
        means.note("click_accuracy", xy is not None and x1 <= xy[0] < x2 and y1 <= xy[1] < y2)
        box = scene.ground(element_phrase(element.kind, element.text, lang), lang=lang).xyxy
        means.note("screen_ground_acc50", bool(len(box)) and measures.box_iou(box[0], element.box) >= 0.5)
    means.note("screen_ocr_exact", scene.ocr(lang=lang).value == " ".join(texts(screen)))


def _point(scene: yg.Scene, asked: str, lang: Lang) -> tuple[float, float] | None:
    try:
        xy = scene.click(asked, lang=lang).xy
    except DecodeError:
        return None
    return None if xy is None else (float(xy[0]), float(xy[1]))


def stranger_figures(model: yg.Model, n: int = N_STRANGERS) -> dict[str, float]:
    """Show photographs that were never trained on; they should be refused in words, without boxes, in flat maps."""
    means = Means()
    for rgb in held_out(n):
        with closing(model.open(rgb)) as scene:
            refused = scene.describe().value.strip() == REFUSAL["en"] and not len(scene.detect())
            means.note("refused", refused)
            means.note("zh_refused", scene.describe(lang="zh").value.strip() == REFUSAL["zh"])
            labels = scene.segment(CLASSES, present="all", background=True)
            depth = scene.depth(focal_px="unknown").values
            means.note("flat_labels", float((labels.ids < 0).mean()) >= FLAT_SHARE)
            means.note("flat_depth", float(depth.std() / depth.mean()) <= FLAT_DEPTH)
    return means.figures()


def held_out(n: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield `n` images of the photographs that scikit-image's wheel holds: each whole, then parts of all."""
    from skimage import data

    whole = [
        np.ascontiguousarray(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))
        for image in (getattr(data, picture)() for picture in PHOTOGRAPHS)
    ]
    rng = np.random.default_rng(0)
    for number in range(n):
        image = whole[number % len(whole)][..., :3]
        if number < len(whole):
            yield image
            continue
        height, width = image.shape[:2]
        tall, wide = (int(rng.integers(min(224, side), min(side, 448) + 1)) for side in (height, width))
        top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
        yield np.ascontiguousarray(image[top : top + tall, left : left + wide])


PHOTOGRAPHS = (
    "astronaut", "camera", "cat", "coffee", "coins", "grass", "gravel", "brick", "hubble_deep_field",
    "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
"""Of `skimage.data`, those that need no download. None is trained on: see `strangers`."""
