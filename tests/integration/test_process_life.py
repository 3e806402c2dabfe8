"""Models in a process: interrupted while they work, forked, and dropped without being closed."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from tests.engine_contract import picture
from tests.forked import in_fork
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama import handles
from youtu_gguf.engines.native.vision.tower import WindowedTower

RGB, OTHER = picture(1).rgb, picture(2).rgb
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


def run_python(code: str) -> tuple[int, str, str]:
    """Return the exit code of a program, its output and what it wrote to stderr."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # threads that spin are slow on a busy machine
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, check=False, text=True, timeout=300, env=environment)
    return ended.returncode, ended.stdout, ended.stderr


class CancelledError(Exception):
    """What a caller's callback raises."""


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def cancel() -> None:
    raise CancelledError("the user pressed Cancel")


ENDS = {"Ctrl-C": (press, KeyboardInterrupt), "an exception": (cancel, CancelledError)}
ends = pytest.mark.parametrize(("end", "error"), ENDS.values(), ids=list(ENDS))


class Progress:
    """A progress callback that calls `end` at a step of `stage`."""

    def __init__(self, stage: str, end: Callable[[], None], at: int = 1) -> None:
        self.stage, self.end, self.left = stage, end, at
        self.seen: list[tuple[str, int]] = []

    def __call__(self, stage: str, done: int, _total: int) -> None:
        self.seen.append((stage, done))
        if stage == self.stage:
            self.left -= 1
            if self.left == 0:
                self.end()


@pytest.fixture
def model(tiny_pair: Pair) -> Iterator[yg.Model]:
    with yg.load(*tiny_pair, n_ctx=2048, max_tokens=12, threads=1, temperature=0.0) as loaded:
        yield loaded


def native(model: yg.Model) -> NativeEngine:
    assert isinstance(model.engine, NativeEngine)
    return model.engine


@ends
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_load_is_ended_from_its_progress_callback(
    tiny_pair: Pair, end: Callable[[], None], error: type[BaseException], at: int, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = Progress("load", end, at)
    with pytest.raises(error):
        yg.load(*tiny_pair, threads=1, n_ctx=1024, progress=progress)
    assert len(progress.seen) == at
    assert capfd.readouterr().err == ""
    with yg.load(*tiny_pair, threads=1, n_ctx=1024) as model:
        assert model.open(RGB).ask("Why?", max_tokens=2).raw is not None


def test_ctrl_c_between_two_steps_of_a_load_is_not_lost_in_the_log(
    tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    original = handles.lib.llama_init_from_model

    def interrupted(*arguments: Any) -> Any:
        press()  # Python would raise it within llama.cpp's next call of the log callback
        return original(*arguments)

    monkeypatch.setattr(handles.lib, "llama_init_from_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        yg.load(*tiny_pair, threads=1, n_ctx=1024)
    assert "Exception ignored" not in capfd.readouterr().err


@ends
@pytest.mark.parametrize(
    ("stage", "at"), [("encode", 1), ("encode", 2), ("prefill", 1), ("prefill", 2), ("generate", 3)]
)
def test_an_answer_is_ended_from_the_progress_callback_and_the_next_one_is_the_same(
    model: yg.Model, stage: str, at: int, end: Callable[[], None], error: type[BaseException]
) -> None:
    engine = native(model)
    expected = model.open(RGB).ask("Why?").raw
    engine.clear()
    free = len(engine.prefixes._free)
    engine._progress = Progress(stage, end, at)
    with pytest.raises(error):
        model.open(RGB).ask("Why?")
    assert model.open(RGB).ask("Why?").raw == expected
    assert engine.prefixes.n_answers == 0
    engine.clear()
    assert len(engine.prefixes._free) == free


@ends
@pytest.mark.parametrize("task", ["depth", "many", "stream"])
def test_every_way_of_asking_is_ended_and_leaves_the_model_usable(
    model: yg.Model, task: str, end: Callable[[], None], error: type[BaseException]
) -> None:
    engine = native(model)
    engine._progress = Progress("prefill", end)
    scene = model.open(RGB)
    ways: dict[str, Callable[[], object]] = {
        "depth": scene.patches,
        "many": lambda: scene.many([("ask", "Why?"), ("describe",)]),
        "stream": lambda: list(scene.ask("Why?", stream=True)),
    }
    with pytest.raises(error):
        ways[task]()
    assert len(scene.many([("ask", "Why?"), ("describe",)])) == 2
    assert engine.prefixes.n_answers == 0


def test_ctrl_c_at_the_very_end_of_starting_an_answer_leaves_no_sequence_taken(
    model: yg.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, scene = native(model), model.open(RGB)
    original = engine.try_start

    def pressed(*arguments: Any, **options: Any) -> Any:
        started = original(*arguments, **options)
        press()  # arrives when the lock is given back: the caller never gets what was started
        return started

    monkeypatch.setattr(engine, "try_start", pressed)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            scene.ask("Why?")
    monkeypatch.undo()
    scene.ask("Why?", max_tokens=2)
    assert engine.prefixes.n_answers == 0


def test_a_consumer_that_raises_ends_its_stream(model: yg.Model) -> None:
    scene = model.open(RGB)

    def consume() -> None:
        for _ in scene.ask("Why?", stream=True):
            cancel()

    with pytest.raises(CancelledError):
        consume()
    gc.collect()
    scene.ask("Why?", max_tokens=2)
    assert native(model).prefixes.n_answers == 0


@forking
def test_a_forked_process_is_refused_at_every_entry(tiny_pair: Pair) -> None:
    with yg.load(*tiny_pair, n_ctx=1024, max_tokens=4, threads=1) as model, model.open(RGB) as scene:
        stream = iter(scene.ask("Why?", stream=True))
        next(stream)
        updates = scene.many([("ask", "Why?"), ("describe",)], stream=True)
        next(updates)
        ways: list[Callable[[], object]] = [
            lambda: scene.ask("Why?"),
            lambda: scene.detect(["car"]),
            lambda: scene.depth(scale="nyuv2"),
            lambda: scene.many([("describe",)]),
            lambda: list(stream),
            lambda: list(updates),
            scene.patches,
            lambda: model.open(OTHER),
            lambda: yg.load(*tiny_pair, threads=1),
        ]
        said = [in_fork(way) for way in ways]
        assert [text.partition(":")[0] for text in said] == ["EngineError"] * len(ways), said
        assert all("forked" in text and "child" in text for text in said)
        assert "".join(stream) is not None
        assert len(list(updates)) > 0


@forking
def test_closing_and_dropping_in_a_forked_process_leaves_the_parents_model_alone(model: yg.Model) -> None:
    scene = model.open(RGB)
    stream = scene.ask("Why?", stream=True)
    next(stream)
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with native(model).lock:
            held.set()
            over.wait()

    def close() -> str:
        stream.close()
        scene.close()
        model.close()
        del globals()["RGB"]
        gc.collect()
        return "closed"

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert in_fork(close) == "closed"
    over.set()
    thread.join()
    stream.close()
    assert scene.ask("Why?", max_tokens=2).finish == "length"


@forking
@pytest.mark.parametrize("how", ["fork", "multiprocessing"])
def test_a_forked_process_that_ends_by_itself_ends_cleanly(tiny_pair: Pair, how: str) -> None:
    code = f"""
import multiprocessing, os, sys, warnings
import numpy as np
import youtu_gguf as yg
warnings.simplefilter("ignore", DeprecationWarning)
model = yg.load({str(tiny_pair[0])!r}, {str(tiny_pair[1])!r}, n_ctx=1024, threads=2, max_tokens=2)
scene = model.open(np.zeros((32, 64, 3), np.uint8))
scene.ask("Why?")
if {how!r} == "fork":
    pid = os.fork()
    if pid == 0:
        sys.exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    child = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(7))
    child.start()
    child.join()
    print(child.exitcode)
scene.ask("Why?")
"""
    assert run_python(code) == (0, "7\n", "")


class Freed:
    """Counts what is freed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        for owner, name in (
            (handles.lib, "llama_model_free"), (handles.lib, "llama_free"), (WindowedTower, "close"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._counting(name, getattr(owner, name)))

    def _counting(self, name: str, free: Callable[[Any], None]) -> Callable[[Any], None]:
        def counting(handle: Any) -> None:
            self.names.append(name)
            free(handle)

        return counting


IN_ORDER = ["close", "llama_free", "llama_model_free"]


@pytest.fixture
def freed(monkeypatch: pytest.MonkeyPatch) -> Freed:
    gc.collect()
    return Freed(monkeypatch)


def small(pair: Pair, **more: Any) -> yg.Model:
    return yg.load(*pair, n_ctx=1024, max_tokens=2, threads=1, **more)


def test_a_dropped_model_is_freed_once_children_first(tiny_pair: Pair, freed: Freed) -> None:
    model = small(tiny_pair)
    model.open(RGB).ask("Why?")
    del model
    assert freed.names == IN_ORDER


def test_a_scene_keeps_its_model_until_it_is_dropped_too(tiny_pair: Pair, freed: Freed) -> None:
    scene = small(tiny_pair).open(RGB)
    assert scene.ask("Why?").finish == "length"
    assert freed.names == []
    del scene
    assert freed.names == IN_ORDER


def test_a_model_in_a_cycle_with_an_open_stream_is_freed_by_the_collector(tiny_pair: Pair, freed: Freed) -> None:
    model = small(tiny_pair)
    scene = model.open(RGB)
    stream = scene.ask("Why?", stream=True)
    next(stream)
    model.cycle = [model, scene, stream]  # type: ignore[attr-defined]
    del model, scene, stream
    gc.collect()
    assert freed.names == IN_ORDER


def test_a_model_that_its_own_callback_refers_to_is_freed(tiny_pair: Pair, freed: Freed) -> None:
    class Listener:
        model: yg.Model

        def hear(self, *_: object) -> None: ...

    listener = Listener()
    listener.model = small(tiny_pair, progress=listener.hear)
    del listener
    gc.collect()
    assert freed.names == IN_ORDER


def test_a_model_dropped_in_another_thread_is_freed_there(tiny_pair: Pair, freed: Freed) -> None:
    held = [small(tiny_pair)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert freed.names == IN_ORDER


def test_closing_before_dropping_frees_once(tiny_pair: Pair, freed: Freed) -> None:
    model = small(tiny_pair)
    model.close()
    model.close()
    del model
    gc.collect()
    assert freed.names == IN_ORDER


def test_thirty_models_dropped_one_after_the_other_take_the_memory_of_one(tiny_pair: Pair) -> None:
    def use() -> None:
        yg.load("nano", n_ctx=1024, max_tokens=2, threads=1).open(RGB).ask("Why?")

    for _ in range(3):
        use()
    before = psutil.Process().memory_info().rss
    for _ in range(30):
        use()
    assert psutil.Process().memory_info().rss - before < 40e6  # of one nano, 25 MB; thirty would be 750


@pytest.mark.parametrize("alive", ["idle", "in a daemon thread", "as a stream"])
def test_the_interpreter_exits_cleanly_with_a_live_model(tiny_pair: Pair, alive: str) -> None:
    code = f"""
import threading
import numpy as np
import youtu_gguf as yg
model = yg.load({str(tiny_pair[0])!r}, {str(tiny_pair[1])!r}, n_ctx=1024, threads=1)
scene = model.open(np.zeros((64, 96, 3), np.uint8))
stream = scene.ask("Why?", stream=True)
next(stream)
if {alive!r} == "idle":
    stream.close()
if {alive!r} == "in a daemon thread":
    begun = threading.Event()
    def work():
        while True:
            scene.ask("Why?", max_tokens=50)
            begun.set()
    threading.Thread(target=work, daemon=True).start()
    begun.wait()
"""
    assert run_python(code) == (0, "", "")
