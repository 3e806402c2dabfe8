"""Maps of the small model that ships, seen larger, in tiles, without naming classes, and through a known lens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.focal import WAYS, errors
from scripts.nano.measures import Confusion
from scripts.nano.resolution import resized, side_by_side
from scripts.nano.scenes import CLASSES, TEST_SEEDS, Scene, draw

SEEDS = range(TEST_SEEDS + 40, TEST_SEEDS + 44)


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=100) as model:
        yield model


def miou(
    nano: yg.Model,
    picture: Callable[[int], Scene],
    ask: Callable[[yg.Scene], yg.LabelMap],
    seeds: Sequence[int] = SEEDS,
) -> float:
    tally = Confusion()
    for truth in map(picture, seeds):
        with closing(nano.open(truth.rgb)) as scene:
            found = ask(scene)
            tally.add(truth, found.ids, found.classes)
    return tally.mean()


def all_classes(**how: object) -> Callable[[yg.Scene], yg.LabelMap]:
    return lambda scene: scene.segment(CLASSES, present="all", **how)  # type: ignore[arg-type]


def test_a_small_picture_is_seen_at_the_scale_that_the_model_knows(nano: yg.Model) -> None:
    def small(seed: int) -> Scene:
        return resized(draw(seed), 0.5)

    assert miou(nano, small, all_classes(zoom=2)) > miou(nano, small, all_classes()) + 0.1


def test_tiles_that_are_pictures_of_their_own_are_seen_as_such(nano: yg.Model) -> None:
    tiled = miou(nano, side_by_side, all_classes(tiles=(2, 2)), SEEDS[:2])
    assert tiled > miou(nano, side_by_side, all_classes(), SEEDS[:2]) + 0.2


def test_the_model_names_all_that_is_there(nano: yg.Model) -> None:
    assert miou(nano, draw, lambda scene: scene.segment()) > 0.75


def test_the_guided_filter_makes_maps_better(nano: yg.Model) -> None:
    assert miou(nano, draw, all_classes(refine="guided")) > miou(nano, draw, all_classes(refine="none"))


@pytest.mark.parametrize("focal_px", [700.0, 2800.0])
def test_a_known_lens_gives_metres(nano: yg.Model, focal_px: float) -> None:
    scenes = [draw(seed, (288, 288), focal_px) for seed in SEEDS]
    ways = WAYS["unknown"], WAYS["focal_px"]
    unknown, known = np.mean([errors(nano, scene, ways) for scene in scenes], axis=0)
    assert abs(known[0]) < 0.1
    assert abs(unknown[0]) > 0.2
    assert known[1] > 0.8  # within 1.25 times


def test_a_picture_of_few_pixels_is_enlarged_to_the_focal_length_that_the_model_knows(nano: yg.Model) -> None:
    scenes = [resized(draw(seed, (288, 288)), 0.5) for seed in SEEDS]
    _, as_it_is, enlarged = np.mean([errors(nano, scene) for scene in scenes], axis=0)
    assert enlarged[1] > as_it_is[1] + 0.1
