"""Coordinates end at 2047: what is asked for them is asked of an image that has no more pixels, and it is said."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import InputError
from youtu_gguf.facts import N_COORDINATES
from youtu_gguf.images.load import prepared_size
from youtu_gguf.images.zoom import sayable_zoom
from youtu_gguf.testing import FakeEngine, FakeSession
from youtu_gguf.types import Size

WIDE = np.zeros((90, 2240, 3), np.uint8)
SHOWN, LOWERED = (2240, 96), (2016, 96)
CORNER = "<box><x_0><y_0><x_2016><y_96></box>"
OUTLINE = "<ins><poly><x_0><y_0><x_2016><y_0><x_2016><y_96></poly></ins>"
PERSON = f"<person>{CORNER}<kpt>{'<x_2016><y_96>' * 16}</kpt></person>"
CLICK = '<tool_call>{"name":"computer_use","arguments":{"action":"left_click","coordinate":[2016,96]}}</tool_call>'
ANSWERS = {
    "describes": CORNER,
    "Detect": f"<ref>cup</ref>{CORNER}",
    "segment": OUTLINE,
    "persons": PERSON,
    "the menu": CLICK,
}


class WatchingEngine(FakeEngine):
    """Keeps the sizes of the images that questions were asked of."""

    def __init__(self, max_tokens: int = 2048) -> None:
        super().__init__(ANSWERS, vocabulary={"<BG>": 1, "<FG>": 2, "cup": 3}, image_max_tokens=max_tokens)
        self.sizes: list[tuple[int, int]] = []

    def open(self, prefix: Prefix) -> FakeSession:
        self.sizes.append(prefix.image().size)
        return super().open(prefix)


def note(lowered: tuple[int, int], asked: tuple[int, int]) -> yg.Issue:
    sizes = f"{lowered[0]}x{lowered[1]} instead of {asked[0]}x{asked[1]}"
    return yg.Issue(f"the image was shown at {sizes}: coordinates end at 2047")


@pytest.mark.parametrize(
    "question",
    [
        ("ground", "cup"),
        ("detect", ["cup"]),
        ("polygon", "cup"),
        ("pose",),
        ("click", "open the menu"),
        ("count", "cup", "detection"),
        ("refer", "cup", None, 64),
        ("refer", "cup", None, 64, 1.2, "polygon"),
        ("instances", ["cup"], 1, 64),
    ],
    ids=lambda question: " ".join(map(str, question)),
)
def test_tasks_that_answer_with_coordinates_show_no_more_pixels(question: tuple[object, ...]) -> None:
    engine = WatchingEngine()
    scene = yg.load(engine=engine).open(WIDE)
    value = scene.run(*question)  # type: ignore[arg-type]
    assert engine.sizes[:2] == [SHOWN, LOWERED]
    assert [issue for issue in value.issues if "shown at" in issue.message] == [note(LOWERED, SHOWN)]


def test_coordinates_of_a_lowered_image_come_in_source_pixels() -> None:
    scene = yg.load(engine=WatchingEngine()).open(WIDE)
    corner = [2240, 90]
    assert scene.ground("cup").xyxy[0, 2:].tolist() == corner
    assert scene.detect(["cup"]).xyxy[0, 2:].tolist() == corner
    assert scene.polygon("cup").parts[0][0][2].tolist() == corner
    assert scene.pose().xyv[0, 0, :2].tolist() == corner
    assert scene.click("open the menu").xy.tolist() == corner  # type: ignore[union-attr]


@pytest.mark.parametrize("question", [("ask", "What?"), ("describe",), ("segment", ["cup"], "all"), ("depth",)])
def test_tasks_without_coordinates_show_the_image_as_it_is(question: tuple[object, ...]) -> None:
    engine = WatchingEngine()
    scene = yg.load(engine=engine).open(WIDE)
    try:
        value = scene.run(*question)  # type: ignore[arg-type]
    except yg.ModelFileError:  # the fake has no depth bins
        value = yg.Text("")
    assert engine.sizes == [SHOWN]
    assert not any("shown at" in issue.message for issue in value.issues)


@pytest.mark.parametrize(("width", "max_tokens"), [(2048, 2048), (2240, 64)])
def test_an_image_that_is_shown_small_enough_is_shown_once_for_all(width: int, max_tokens: int) -> None:
    engine = WatchingEngine(max_tokens)
    scene = yg.load(engine=engine).open(np.zeros((90, width, 3), np.uint8))
    assert not any("shown at" in issue.message for issue in scene.ground("cup").issues)
    assert engine.sizes == [scene.transform.prepared]


def test_a_zoom_ends_where_coordinates_do() -> None:
    engine = WatchingEngine(9216)
    scene = yg.load(engine=engine).open(np.zeros((48, 640, 3), np.uint8))
    boxes = scene.detect(["cup"], zoom=(1, 3.5, 4))
    assert engine.sizes == [(640, 64), (2048, 160)]  # both large ones are lowered to one
    assert boxes.issues[:2] == (note((2048, 160), (2240, 192)), note((2048, 160), (2560, 192)))
    engine.sizes.clear()
    assert not any("shown at" in issue.message for issue in scene.ground("cup", zoom="auto").issues)
    assert engine.sizes == [(2048, 160)]


def test_a_lowered_size_is_no_flaw_of_the_answer() -> None:
    scene = yg.load(engine=WatchingEngine()).open(WIDE)
    assert scene.ground("cup", strict=True).issues == (note(LOWERED, SHOWN),)


def test_the_note_is_in_the_results_of_many() -> None:
    scene = yg.load(engine=WatchingEngine()).open(WIDE)
    for value in scene.many([("ground", "cup"), ("pose",)]):
        assert value.issues == (note(LOWERED, SHOWN),)


@pytest.mark.parametrize("size", [(3440, 1440), (5120, 1440), (1080, 2400), (1170, 2532), (1, 100_000), (4000, 3000)])
@pytest.mark.parametrize("max_tokens", [64, 2048, 9216])
def test_the_zoom_is_the_largest_at_which_everything_can_be_said(size: tuple[int, int], max_tokens: int) -> None:
    zoom = sayable_zoom(1, Size(*size), max_tokens)
    assert max(prepared_size(Size(*size), max_tokens, zoom)) <= N_COORDINATES
    if zoom < 1:
        assert max(prepared_size(Size(*size), max_tokens, zoom + 0.02)) > N_COORDINATES


def test_an_image_too_long_for_any_zoom_is_refused() -> None:
    with pytest.raises(InputError, match=r"a 200000x1 image is too long for that\. Crop it"):
        sayable_zoom(1, Size(200_000, 1), 9216)
