"""Fixtures that need files: the tiny random pair, made once per run, and photographs that scikit-image ships."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg

pytest.register_assert_rewrite("tests.engine_contract")  # so that its failures say what differs

Pair = tuple[Path, Path]

ON_PROCESSOR = {"device": "cpu"}
"""Settings of tests that claim equality to the last bit, or equal answers whatever is decoded beside them: llama.cpp
promises neither on a GPU (docs/architecture.md, "Rounding"). tests/integration/test_on_gpu.py has what holds there."""

os.environ["HF_HUB_OFFLINE"] = "1"  # a spec that is not on this machine is not to be fetched by accident
CALIBRATIONS = tempfile.mkdtemp(prefix="youtu-gguf-calibrations-")
os.environ["YOUTU_GGUF_CALIBRATIONS"] = CALIBRATIONS  # what the developer's machine knows about models is not tested
STATE = tempfile.mkdtemp(prefix="youtu-gguf-state-")
os.environ["XDG_STATE_HOME"] = STATE  # neither is what it knows about vision towers and servers

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # programs that tests start, and interrupt, inherit it


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return yg.weights.write_synthetic_pair(tmp_path_factory.mktemp("tiny"), "tiny", seed=0)


@pytest.fixture(scope="session")
def tiny_pair_f32(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return yg.weights.write_synthetic_pair(tmp_path_factory.mktemp("tiny-f32"), "tiny", seed=0, quant="F32")


@pytest.fixture(scope="module")
def tiny_model(tiny_pair: Pair) -> Iterator[yg.Model]:
    with yg.load(*tiny_pair, n_ctx=4096, max_tokens=24, threads=1) as model:
        yield model


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three photographs: square, not a multiple of 32, and stored sideways with an EXIF orientation."""
    from skimage import data

    folder = tmp_path_factory.mktemp("photographs")
    sideways = Image.Exif()
    sideways[0x0112] = 6  # the camera was held upright: turn 90 degrees clockwise to show
    Image.fromarray(data.astronaut()).save(folder / "astronaut.png")
    Image.fromarray(data.chelsea()).save(folder / "cat.png")
    Image.fromarray(np.rot90(data.rocket())).save(folder / "rocket.jpg", exif=sideways, quality=95)
    return {path.stem: path for path in folder.iterdir()}


def pytest_unconfigure() -> None:
    """Delete temporary folders, and close what llama_cpp leaves open, or the interpreter complains below the summary.

    Remove when llama_cpp._utils no longer opens os.devnull at import (it does in 0.3.36).
    """
    for folder in (CALIBRATIONS, STATE):
        shutil.rmtree(folder, ignore_errors=True)
    utilities = sys.modules.get("llama_cpp._utils")
    for name in ("outnull_file", "errnull_file"):
        if utilities is not None and hasattr(utilities, name):
            getattr(utilities, name).close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give all tests of tests/cluster to one worker, since they share a Ray, and those of any other file to one."""
    from xdist.scheduler.loadfile import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/cluster" if nodeid.startswith("tests/cluster/") else super()._split_scope(nodeid)

    return Scheduling(config, log)
