"""What nano should be able to do with images that are no scenes: find things on drawn screens, refuse photographs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

import youtu_gguf as yg
from scripts.nano import measures
from scripts.nano.abilities import Means
from scripts.nano.lessons import REFUSAL
from scripts.nano.scenes import CLASSES, TEST_SEEDS
from scripts.nano.screen_lessons import texts
from scripts.nano.screen_words import element_phrase, instruction
from scripts.nano.screens import Screen, draw_screen
from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Lang

ASKED_PER_SCREEN = 3
N_STRANGERS = 100
FLAT_SHARE, FLAT_DEPTH = 0.95, 0.05
"""Share of pixels that must be background, and most deviation of the depth from its mean, relative to that."""
PHOTOGRAPHS = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
    "gravel.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png", "motorcycle_left.png",
    "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
"""Photographs that scikit-image's wheel holds. None is trained on: see `strangers`."""
LEAST_PART = 0.4
"""Side of the smallest part of a photograph, as a share."""
PART_SIDES = 224, 448
"""Least and largest short side in px to which a part is scaled."""


def screen_figures(model: yg.Model, n: int, seed: int = 0) -> dict[str, float]:
    """Ask for places and texts on `n` screens that were never trained on, in the language of each."""
    means = Means()
    for number in range(n):
        screen = draw_screen(TEST_SEEDS + seed * 1_000_000 + number)
        with closing(model.open(screen.rgb)) as scene:
            ask_screen(screen, scene, means)
    return means.figures()


def ask_screen(screen: Screen, scene: yg.Scene, means: Means) -> None:
    """Click on some elements and ask for their boxes, and read everything; note what was right."""
    rng, lang = np.random.default_rng(screen.seed), screen.lang
    able = [element for element in screen.elements if element.kind != "window"]
    for number in rng.permutation(len(able))[:ASKED_PER_SCREEN]:
        element = able[number]
        x1, y1, x2, y2 = element.box
        xy = _point(scene, instruction(element.kind, element.text, lang, int(rng.integers(2))), lang)
        means.note("click_accuracy", xy is not None and x1 <= xy[0] < x2 and y1 <= xy[1] < y2)
        boxes = scene.ground(element_phrase(element.kind, element.text, lang), lang=lang).xyxy
        means.note("screen_ground_acc50", bool(len(boxes)) and measures.box_iou(boxes[0], element.box) >= 0.5)
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
            ask_stranger(scene, means)
    return means.figures()


def ask_stranger(scene: yg.Scene, means: Means) -> None:
    """Note whether an image is refused in words and boxes, and in maps."""
    refused = scene.describe().value.strip() == REFUSAL["en"] and not len(scene.detect())
    means.note("refused", refused)
    means.note(
        "zh_refused", scene.describe(lang="zh").value.strip() == REFUSAL["zh"] and not len(scene.detect(lang="zh"))
    )
    labels = scene.segment(CLASSES, present="all", background=True).ids
    depth = scene.depth(focal_px="unknown").values
    means.note("flat", flat(labels, depth))


def flat(labels: npt.NDArray[np.int32], depth: npt.NDArray[np.floating]) -> bool:
    """Return whether nearly all of a label map is background (-1), and all of a depth map nearly the same."""
    return bool((labels < 0).mean() >= FLAT_SHARE and depth.std() <= FLAT_DEPTH * depth.mean())


def held_out(n: int = N_STRANGERS) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield `n` images (H, W, 3): each photograph as it is, then scaled parts of one after another."""
    rng = np.random.default_rng(0)
    for number in range(n):
        whole = _photograph(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])
        yield whole if number < len(PHOTOGRAPHS) else _part(whole, rng)


@cache
def _photograph(name: str) -> npt.NDArray[np.uint8]:
    from skimage import data

    with Image.open(Path(data.__file__).parent / name) as file:
        return np.asarray(file.convert("RGB"))


def _part(whole: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    height, width = whole.shape[:2]
    tall, wide = (int(side * rng.uniform(LEAST_PART, 1)) for side in (height, width))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    factor = rng.uniform(*PART_SIDES) / min(tall, wide)
    part = np.ascontiguousarray(whole[top : top + tall, left : left + wide])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=how), np.uint8)
