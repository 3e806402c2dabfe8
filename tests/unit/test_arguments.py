"""What callers pass by mistake, to every task: numbers of NumPy are numbers, and whatever is none is an InputError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.arguments import as_float, as_int, short_repr
from youtu_gguf.facts import BIN_TOKENS
from youtu_gguf.prompts import WORDINGS
from youtu_gguf.testing import FakeEngine

BOXES = "<ref>red</ref><box><x_0><y_0><x_20><y_20></box><ref>{}</ref><box><x_30><y_30><x_60><y_60></box>"
WORDS = {"<FG>": 1, "<BG>": 2, "red": 3, "black": 4, **{token: 5 + n for n, token in enumerate(BIN_TOKENS)}}
HEAD = np.random.default_rng(0).normal(size=(5 + len(BIN_TOKENS), 3)).astype(np.float32)
HUGE = 10**5000
"""More digits than Python writes out."""


def open_scene(width: int = 96, height: int = 64) -> tuple[yg.Scene, FakeEngine]:
    engine = FakeEngine({"Detect all": BOXES, "检测": BOXES}, head=HEAD, vocabulary=WORDS)
    return yg.load(engine=engine).open(np.zeros((height, width, 3), np.uint8)), engine


def name_of(value: object) -> str:
    return ascii(short_repr(value))[:20]


TASKS: dict[str, Callable[[yg.Scene, Any], yg.Result]] = {
    "detect zoom": lambda scene, value: scene.detect(zoom=value),
    "ground zoom": lambda scene, value: scene.ground("it", zoom=value),
    "segment zoom": lambda scene, value: scene.segment(["red"], present="all", zoom=value),
    "depth zoom": lambda scene, value: scene.depth(zoom=value),
    "segment tiles": lambda scene, value: scene.segment(["red"], present="all", tiles=(value, 1)),
    "depth tiles": lambda scene, value: scene.depth(tiles=(1, value)),
    "depth focal_px": lambda scene, value: scene.depth(focal_px=value),
    "instances limit": lambda scene, value: scene.instances(["red"], limit=value, crop_size=32),
    "instances padding": lambda scene, value: scene.instances(["red"], padding=value, crop_size=32),
}
FRACTIONS = [name for name in TASKS if not name.endswith(("tiles", "limit"))]
CHOICES: dict[str, Callable[[yg.Scene, Any], yg.Result]] = {
    "depth scale": lambda scene, value: scene.depth(scale=value),
    "segment refine": lambda scene, value: scene.segment(["red", "black"], present="all", refine=value),
    "segment present": lambda scene, value: scene.segment(["red"], present=value),
    "count by": lambda scene, value: scene.count("red", by=value),
    "instances find": lambda scene, value: scene.instances(find=value),
    "refer by": lambda scene, value: scene.refer("red", by=value),
    "click": lambda scene, value: scene.click(value),
    "reason": lambda scene, value: scene.reason(value),
    "count": lambda scene, value: scene.count(value, by="detection"),
}


@pytest.mark.parametrize("number", [np.int64(2), np.int32(2), np.uint8(2)])
@pytest.mark.parametrize("task", TASKS)
def test_whole_numbers_of_numpy_are_taken_where_pythons_are(task: str, number: Any) -> None:
    TASKS[task](open_scene()[0], number)


@pytest.mark.parametrize("number", [np.float32(2), np.float64(2), np.float16(2)])
@pytest.mark.parametrize("task", FRACTIONS)
def test_fractions_of_numpy_are_taken_where_pythons_are(task: str, number: Any) -> None:
    TASKS[task](open_scene()[0], number)


def test_arrays_of_zooms_and_tiles_are_taken_as_lists_are() -> None:
    scene, engine = open_scene()
    scene.detect(zoom=np.array([1, 1.5]))  # type: ignore[arg-type]
    assert len(engine.questions) == 2
    assert scene.depth(tiles=np.array([2, 1])).timings.n_image_tokens == 6  # type: ignore[arg-type]


def test_a_small_numpy_number_does_not_overflow_in_a_crop() -> None:
    found, _ = open_scene()
    as_numpy = found.instances(["red"], crop_size=np.uint8(64), padding=np.float16(1.2))  # type: ignore[arg-type]
    assert as_numpy.timings.n_image_tokens == found.instances(["red"], crop_size=64, padding=1.2).timings.n_image_tokens


@pytest.mark.parametrize(
    "value",
    [
        True, np.True_, float("nan"), np.float32("nan"), float("inf"), -1, -1.5, 0, 1e308, 10**400, HUGE, "2", "", b"2",
        [], [[2]], np.array([[1, 2]]), np.zeros((2, 2)), {}, {2}, object(), 1j, (HUGE,), "big",
    ],
    ids=name_of,
)  # fmt: skip
@pytest.mark.parametrize("task", [name for name in TASKS if name != "instances limit"])
def test_what_is_no_number_in_range_is_an_input_error_before_anything_is_generated(task: str, value: Any) -> None:
    scene, engine = open_scene()
    with pytest.raises(yg.InputError, match="got"):
        TASKS[task](scene, value)
    assert engine.questions == []


@pytest.mark.parametrize(
    "limit", [0, -1, 2.0, np.float32(2), True, np.True_, float("nan"), "2", None, [2], np.array([2])]
)
def test_a_limit_that_is_no_whole_number_is_an_input_error(limit: Any) -> None:
    scene, engine = open_scene()
    with pytest.raises(yg.InputError, match="limit must be a whole number of objects, at least 1; got"):
        scene.instances(["red"], limit=limit)
    assert engine.questions == []


def test_a_limit_may_be_as_large_as_one_likes() -> None:
    assert len(open_scene()[0].instances(["red"], limit=HUGE, crop_size=32)) == 2


@pytest.mark.parametrize("value", [None, 5, HUGE, b"red", [], ["open"], {}, np.array([1, 2]), "\ud800"], ids=name_of)
@pytest.mark.parametrize("task", CHOICES)
def test_what_is_no_word_is_an_input_error(task: str, value: Any) -> None:
    scene, engine = open_scene()
    with pytest.raises(yg.InputError, match="got"):
        CHOICES[task](scene, value)
    assert engine.questions == []


@pytest.mark.parametrize(
    "classes", [5, np.float32(2), True, object(), np.array(2), [], [5], [""], ["a", "a"], "a", b"a"]
)
def test_classes_that_are_no_list_of_names_are_input_errors(classes: Any) -> None:
    scene, engine = open_scene()
    for ask in (scene.detect, scene.segment, scene.instances):
        with pytest.raises(yg.InputError, match="got"):
            ask(classes)
    assert engine.questions == []


@pytest.mark.parametrize("background", [1, "no", None, np.array([1, 2])])
def test_a_switch_is_true_or_false(background: Any) -> None:
    with pytest.raises(yg.InputError, match="background must be True or False; got"):
        open_scene()[0].segment(["red"], background=background)


@pytest.mark.parametrize(
    "box",
    [(0, 0, HUGE, 9), (0, 0, 10**400, 9), ("0", "0", "9", "9"), (True, 0, 9, 9), (0, 0, 9), 5, "0099", [[0, 0, 9, 9]]],
    ids=name_of,
)
def test_a_box_that_is_no_four_numbers_is_an_input_error(box: Any) -> None:
    with pytest.raises(yg.InputError, match=r"a box must be .*; got"):
        open_scene()[0].refer(box=box, crop_size=32)


def test_a_box_of_numpy_is_taken() -> None:
    assert open_scene()[0].refer(box=np.array([1, 1, 9, 9], np.uint8), crop_size=32).bits.shape == (64, 96)  # type: ignore[arg-type]


@pytest.mark.parametrize("task", [["detect"], {}, np.array(2), None, HUGE], ids=name_of)
def test_a_question_of_no_task_is_an_input_error(task: Any) -> None:
    with pytest.raises(yg.InputError, match="a question must be a tuple"):
        open_scene()[0].many([task])
    with pytest.raises(yg.InputError, match="expected a task among"):
        open_scene()[0].many([yg.Question(task)])


@pytest.mark.parametrize("zoom", [0, -1, float("nan"), float("inf"), HUGE, "auto", None, True], ids=name_of)
def test_a_scene_can_be_zoomed_by_numbers_up_to_4_alone(zoom: Any) -> None:
    with pytest.raises(yg.InputError, match="zoom must be a number above 0, up to 4; got"):
        open_scene()[0].zoomed(zoom)


@pytest.mark.parametrize("lang", WORDINGS)
@pytest.mark.parametrize("words", ["{}a", "{0}", "{x", "a}b", "{{}}1", "{click.__class__}", "%s"])
def test_braces_in_a_phrase_reach_the_model_as_they_are(words: str, lang: str) -> None:
    scene, engine = open_scene()
    options: Any = {"lang": lang}
    for ask in (scene.ask, scene.reason, scene.count, scene.ground, scene.polygon, scene.click):
        ask(words, **options)
    list(scene.reason(words, stream=True, **options))
    scene.refer(words, by="polygon", **options)
    scene.count(words, by="detection", **options)
    for ask_of_classes in (scene.detect, scene.instances):
        ask_of_classes([words, "other"], **options)
    for background in (False, True):
        scene.segment([words], background=background, **options)
    assert len(engine.questions) == 13
    assert all(words in question for question in engine.questions)


@pytest.mark.parametrize("size", [(1, 1), (4000, 30), (30, 4000), (2, 300)])
def test_pictures_of_odd_sizes_can_be_asked_everything(size: tuple[int, int]) -> None:
    scene, _ = open_scene(*size)
    shape = size[::-1]
    for zoom in (1, 1.3, "auto"):
        assert scene.segment(["red", "black"], present="all", zoom=zoom).ids.shape == shape  # type: ignore[arg-type]
        assert scene.depth(zoom=zoom).values.shape == shape  # type: ignore[arg-type]
        scene.detect(zoom=(1, zoom))  # type: ignore[arg-type]
    for focal_px in (1, 2000, 1e6):
        assert scene.depth(zoom="focal", focal_px=focal_px).unit == "m"
    assert scene.instances(["red"], crop_size=32).masks.shape[1:] == shape
    with pytest.raises(yg.InputError, match="Use fewer tiles, or a larger zoom"):
        scene.depth(tiles=(200, 200))


def test_a_count_is_a_whole_number_and_none_without_its_number_is_an_error() -> None:
    found, _ = open_scene()
    assert len(found.instances(["red"], limit=yg.Count(1), crop_size=32)) == 1  # type: ignore[arg-type]
    with pytest.raises(yg.DecodeError, match="the answer gives none"):
        found.instances(["red"], limit=yg.Count(None), crop_size=32)  # type: ignore[arg-type]


def test_numbers_are_told_from_what_only_looks_like_one() -> None:
    assert (as_int(np.uint8(7)), as_int(7), as_int(7.0), as_int(True), as_int(np.True_), as_int("7")) == (
        7,
        7,
        *[None] * 4,
    )
    assert (as_float(np.float16(1.5)), as_float(3), as_float(10**400), as_float(-(10**400))) == (
        1.5,
        3,
        float("inf"),
        float("-inf"),
    )
    assert [as_float(value) for value in (True, "1", None, np.array(1.0), 1j)] == [None] * 5
    assert (short_repr(5), short_repr("x" * 500)[-1], len(short_repr("x" * 500))) == ("5", "…", 80)
    assert short_repr([HUGE]) == "a value of type list, too long to write out"
