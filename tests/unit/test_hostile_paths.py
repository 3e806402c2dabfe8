"""Paths of every odd kind, given to every function that takes one: it works, or the error is one of ours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.hub.local import find_nano
from youtu_gguf.testing import FakeEngine

NOBODY = 65534
HOSTILE: list[Any] = [
    "", ".", "/", "x" * 300, "x/" * 3000, "a\0b", "~nobody-of-this-name/y", "*", "a\nb", os.fsdecode(b"\xff.gguf"),
    "\ud800", "file/x", "circle", "circle/x.png", "nowhere", "closed", "closed/x.gguf", "folder.gguf", "secret.gguf",
    "pipe", "/proc/self/mem", "/dev/full", "file:///x", b"x", 3, ["x"], Path("closed/x"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder that everyone may write to, as a user who may not read everything."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        (place / "file").touch()
        (place / "circle").symlink_to("circle")
        (place / "nowhere").symlink_to("gone")
        (place / "folder.gguf").mkdir()
        (place / "closed").mkdir(0)
        (place / "secret.gguf").touch(0)
        os.mkfifo(place / "pipe")
        monkeypatch.chdir(place)
        monkeypatch.setenv("HF_HUB_CACHE", str(place / "cache"))
        was = os.geteuid()
        if was == 0:  # whose Python may lie where only root may read: load everything before
            for n, call in enumerate(CALLS.values()):
                with suppress(yg.YoutuError):
                    call(f"first {n}.json")
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(was)
            monkeypatch.chdir("/")


def opened() -> yg.Scene:
    engine = FakeEngine({"Detect all": "<ref>a</ref><box><x_0><y_0><x_20><y_20></box>"})
    return yg.load(engine=engine).open(np.zeros((64, 64, 3), np.uint8))


CALLS: dict[str, Callable[[Any], object]] = {
    "find": yg.weights.find,
    "find mmproj": lambda path: yg.weights.find("nano", path),
    "inspect": yg.weights.inspect,
    "inspect partner": lambda path: yg.weights.inspect(find_nano(), path),
    "slim source": lambda path: yg.weights.slim(path, "out.gguf"),
    "slim destination": lambda path: yg.weights.slim(find_nano(), path),
    "synth": lambda path: yg.weights.write_synthetic_pair(path, "tiny"),
    "pull folder": lambda path: yg.weights.pull("tencent/Youtu-VL-4B-Instruct-GGUF", path),
    "remove": yg.weights.remove,
    "stored": yg.calibration.stored,
    "settings": lambda path: yg.load(engine=FakeEngine({}), cache_dir=path, llama_server=path, server_log=path),
    "open": lambda path: yg.load(engine=FakeEngine({})).open(path),
    "save": lambda path: opened().save(opened().detect(["a"]), path, "json"),
}
WAITS = {("open", "pipe"), ("save", "pipe"), ("save", "/proc/self/mem")}
"""A pipe may be named as an image, but without a writer nothing comes; in /proc a lock file looks like one in use."""


@pytest.mark.parametrize("name", CALLS)
def test_hostile_paths_work_or_are_errors_of_ours(name: str) -> None:
    for path in HOSTILE:
        if (name, str(path)) in WAITS:
            continue
        try:
            CALLS[name](path)
        except yg.YoutuError:
            continue
