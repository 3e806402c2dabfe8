"""Clicks on the fake engine: what is asked, the frame of the point, and what is made of it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.cli.results import lines
from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.output import WRITERS, to_json
from youtu_gguf.prompts import CHINESE, ENGLISH
from youtu_gguf.render import draw
from youtu_gguf.testing import FakeEngine, FakeSession
from youtu_gguf.types import in_words

IMAGE = np.zeros((50, 100, 3), np.uint8)  # prepared to 128x64
GREY = np.full((60, 200, 3), 128, np.uint8)


def answer(arguments: str) -> str:
    return f'Action: Click.\n<tool_call>{{"name":"computer_use","arguments":{{{arguments}}}}}</tool_call>'


CLICK = answer('"action":"left_click","coordinate":[64,32]')


class ListeningEngine(FakeEngine):
    """Keeps the system texts that sessions were opened with."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__(answers)
        self.systems: list[str] = []

    def open(self, prefix: Prefix) -> FakeSession:
        self.systems.append(prefix.system)
        return super().open(prefix)


def test_the_point_comes_in_source_pixels() -> None:
    action = yg.load(engine=FakeEngine({"open the menu": CLICK})).open(IMAGE).click(" open the menu ")
    assert action.xy is not None
    assert (action.name, action.xy.tolist(), action.arguments) == ("left_click", [50, 25], {})
    assert (action.raw, action.finish, action.issues) == (CLICK, "stop", ())


def test_other_arguments_stay_as_they_are_written() -> None:
    more = answer('"action":"drag","coordinate":[0,0],"coordinate2":[128,64],"text":"x"')
    action = yg.load(engine=FakeEngine({"drag": more})).open(IMAGE).click("drag it")
    assert action.arguments == {"coordinate2": [128, 64], "text": "x"}


@pytest.mark.parametrize("wording", [ENGLISH, CHINESE])
def test_the_system_text_tells_of_the_tool_once_per_scene_and_the_question_is_the_instruction(wording: object) -> None:
    engine = ListeningEngine({})
    scene = yg.load(engine=engine, lang="en" if wording is ENGLISH else "zh").open(IMAGE)
    scene.click("open the menu")
    scene.click("close it")
    assert engine.questions == ["open the menu", "close it"]
    assert engine.systems == [DEFAULT_SYSTEM, wording.clicking(128, 64)]  # type: ignore[attr-defined]


def test_an_answer_that_cannot_be_used_is_an_action_without_name_and_refused_when_strict() -> None:
    scene = yg.load(engine=FakeEngine({"it": "I cannot."})).open(IMAGE)
    action = scene.click("do it")
    assert (action.name, action.xy) == ("", None)
    assert "no action that can be read" in action.issues[0].message
    with pytest.raises(yg.DecodeError, match="no action that can be read"):
        scene.click("do it", strict=True)
    with pytest.raises(yg.InputError, match="the instruction must be words"):
        scene.click("  ")


def test_a_click_is_asked_among_other_questions() -> None:
    scene = yg.load(engine=FakeEngine({"menu": CLICK, "What": "A menu.", "How many": "3"})).open(IMAGE)
    text, action, counted, again = scene.many(
        [("ask", "What?"), ("click", "open the menu"), ("count", "menus"), ("click", "the menu")]
    )
    assert (str(text), str(counted)) == ("A menu.", "3")
    assert isinstance(action, yg.Action)
    assert isinstance(again, yg.Action)
    assert (action.name, again.name) == ("left_click", "left_click")


class EndlessSession(FakeSession):
    """Presses Ctrl-C when it is asked to click, and goes on answering until it is told to end."""

    def generate(self, question: str, sampling: Sampling, cancel: threading.Event | None = None) -> Iterator[Piece]:
        assert cancel is not None
        if self.prefix.system != DEFAULT_SYSTEM:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGINT)
            assert cancel.wait(10)
        yield Piece("", finish="cancelled")


class EndlessEngine(FakeEngine):
    def open(self, prefix: Prefix) -> FakeSession:
        return EndlessSession(self, prefix)


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """Ctrl-C interrupts, also where the shell has started the tests in the background, which ignore it."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


@pytest.mark.usefixtures("heeding_ctrl_c")
@pytest.mark.skipif(sys.platform == "win32", reason="signals of one thread are a Unix matter")
def test_ctrl_c_among_several_questions_ends_a_click_too() -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        yg.load(engine=EndlessEngine()).open(IMAGE).many([("click", "open it"), ("ask", "What?")])
    assert threading.active_count() == before


def test_an_action_in_json_arrays_and_lines(tmp_path: Path) -> None:
    action = yg.Action("left_click", [412, 88.5], {"text": "你好", "n": [1]})
    form = to_json(action)
    assert (form["action"], form["xy"], form["arguments"]) == ("left_click", [412, 88.5], {"text": "你好", "n": [1]})
    assert list(lines(action)) == ["left_click at 412.0,88.5", "text: 你好", "n: [1]"]
    assert list(lines(yg.Action("wait"))) == ["wait"]
    assert list(lines(yg.Action(""))) == ["(no action)"]
    WRITERS["npz"](tmp_path / "action.npz", action)
    WRITERS["npz"](tmp_path / "none.npz", yg.Action("wait"))
    with np.load(tmp_path / "action.npz") as some, np.load(tmp_path / "none.npz") as none:
        assert (some["xy"].tolist(), str(some["name"])) == ([412, 88.5], "left_click")
        assert (np.isnan(none["xy"]).tolist(), str(none["name"])) == ([True, True], "wait")
    assert not in_words(action)
    json.dumps(form, allow_nan=False)


def test_the_marker_lies_around_its_point_and_leaves_it_free() -> None:
    drawn = (draw(GREY, yg.Action("", [100, 30])) != GREY).any(axis=-1)
    rows, columns = np.nonzero(drawn)
    assert abs(rows.mean() - 30) < 1
    assert abs(columns.mean() - 100) < 1
    assert not drawn[29:32, 99:102].any()
    assert drawn[30].any()
    assert drawn[:, 100].any()


@pytest.mark.parametrize("xy", [None, (0, 0), (199, 59), (-50, 500), (1e6, 1e6), (-1e6, 3)])
@pytest.mark.parametrize("name", ["left_click", "", "点击" * 30])
def test_any_action_can_be_drawn(xy: tuple[float, float] | None, name: str) -> None:
    assert draw(GREY, yg.Action(name, xy)).shape == GREY.shape  # type: ignore[arg-type]


@pytest.mark.parametrize("xy", [(3, 3), (197, 3), (3, 57), (197, 57), (100, 3)])
def test_the_name_does_not_cover_the_point_at_the_edges(xy: tuple[int, int]) -> None:
    wide = np.full((60, 200, 3), 128, np.uint8)
    x, y = xy
    assert (draw(wide, yg.Action("left_click", xy))[y, x] == 128).all()  # type: ignore[arg-type]


def test_an_action_that_is_none_changes_nothing() -> None:
    assert (draw(GREY, yg.Action("")) == GREY).all()
