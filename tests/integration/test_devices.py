"""Devices of llama.cpp: which one is used, what is checked on it, and that its log stays out of stderr."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native import engine
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.bindings import log_listener
from youtu_gguf.engines.native.llama.devices import devices, handle_of, handles_of
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.placement import Placement
from youtu_gguf.engines.native.llama.vision import MtmdTower
from youtu_gguf.engines.native.vision import choice
from youtu_gguf.engines.native.vision.tower import WindowedTower
from youtu_gguf.environment import NO_CUDA_GRAPHS_VARIABLE
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.types import F32, PreparedImage, Vision, no_progress

LOGS = """
import ctypes, sys
from youtu_gguf.engines.native.llama import bindings
assert bindings._started.cache_info().currsize == 0, "devices were looked for before the log was redirected"
heard = []
with bindings.log_listener(heard.append):
    bindings.ggml("ggml_log_internal", None)(ctypes.c_int(2), b"found 1 CUDA devices\\n")
    from youtu_gguf.engines.native.llama.devices import devices, features
    devices(), features()
assert heard[0] == "found 1 CUDA devices\\n", heard
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_the_log_of_ggml_is_heard_before_it_can_look_for_devices_and_nothing_reaches_stderr() -> None:
    done = run(LOGS)
    assert done.stderr + done.stdout == ""


def test_the_first_model_of_a_process_decides_about_cuda_graphs() -> None:
    code = f"""
import os, youtu_gguf as yg
yg.load("nano", n_ctx=512, threads=1, cuda_graphs=True).close()
assert {NO_CUDA_GRAPHS_VARIABLE!r} not in os.environ
try:
    yg.load("nano", n_ctx=512, threads=1)
except yg.InputError as exc:
    print(exc)
yg.load("nano", n_ctx=512, threads=1, cuda_graphs=True).close()
"""
    assert run(code).stdout == (
        "cuda_graphs must be True in this process, as for its first model (llama.cpp looks once); got False. Load this "
        "model in another process.\n"
    )


def test_they_are_off_before_anything_is_computed_by_default() -> None:
    code = f"""
import ctypes, youtu_gguf as yg
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
seen = []
yg.load("nano", n_ctx=512, threads=1, progress=lambda *_: seen.append(getenv({NO_CUDA_GRAPHS_VARIABLE.encode()!r})))
print(seen[1:] == [b"youtu-gguf"] * (len(seen) - 1))
"""
    assert run(code).stdout == "True\n"


def test_a_device_that_llama_cpp_does_not_have_is_refused_with_those_it_has(tiny_pair: Pair) -> None:
    there = ", ".join(["cpu", *(device.name for device in devices() if device.is_gpu)])
    for setting in ("device", "mmproj_device"):
        with pytest.raises(InputError, match=f"{setting} must be among {there}"):
            yg.load(*tiny_pair, **{setting: "CUDA77"})  # type: ignore[arg-type]


def test_on_the_processor_the_encoder_is_not_checked(tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: object, **__: object) -> None:
        raise AssertionError("the processor was checked")

    monkeypatch.setattr(choice, "check_encoder", check)
    with yg.load(*tiny_pair, n_ctx=512, threads=1, device="cpu") as model:
        assert isinstance(model.engine, NativeEngine)
        assert model.engine.placement == Placement((), 0, model.engine.placement.n_layers, None)
        assert ", CPU, " in repr(model)


def test_the_check_encodes_with_the_loaded_projector(tiny_pair: Pair) -> None:
    with yg.load(*tiny_pair, n_ctx=512, threads=1, device="cpu") as model:
        assert isinstance(model.engine, NativeEngine)
        choice.check_encoder(model.engine.vision.encode, 100, cuda_graphs=True)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Placement:
    """A placement in which llama.cpp's own device of the processor takes a GPU's place."""
    placement = Placement(("CPU",), 2, 3, "CPU", 2)
    monkeypatch.setattr(engine, "place_pair", lambda *_: placement)
    return placement


def test_the_devices_of_a_placement_reach_llama_cpp(stand_in: Placement, tiny_pair: Pair) -> None:
    log: list[str] = []
    chosen = {"n_ctx": 512, "threads": 1, "image_max_tokens": 64}
    with log_listener(log.append), yg.load(*tiny_pair, vision="mtmd", **chosen) as model:  # type: ignore[arg-type]
        assert repr(model) == f"Model({tiny_pair[0].name}, native, CPU 2 of 3 layers, n_ctx 512)"
        assert isinstance(model.engine, NativeEngine)
        assert not model.engine.context.pads
        assert model.open(np.zeros((64, 96, 3), np.uint8)).depth().values.shape == (64, 96)
    assert "CLIP using CPU backend" in "".join(log)


@pytest.mark.parametrize(("vision", "tower"), [("windowed", WindowedTower), ("mtmd", MtmdTower)])
def test_a_device_that_encodes_wrongly_is_refused_when_a_model_is_loaded(
    stand_in: Placement,
    tiny_pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    vision: Vision,
    tower: type[WindowedTower | MtmdTower],
) -> None:
    encode, n_encoded = tower.encode, itertools.count()

    def wrong_after_others(self: WindowedTower | MtmdTower, image: PreparedImage) -> F32:
        return encode(self, image) * np.float32(1 if next(n_encoded) < 12 else 3)  # type: ignore[arg-type]

    monkeypatch.setattr(tower, "encode", wrong_after_others)
    with pytest.raises(EngineError, match="must encode an image the same way every time"):
        yg.load(*tiny_pair, n_ctx=512, threads=1, image_max_tokens=64, vision=vision)


def test_handles_are_found_by_name_and_end_with_none() -> None:
    assert handle_of("CPU").value
    assert list(handles_of(["CPU"])) == [handle_of("CPU").value, None]
    assert list(handles_of([])) == [None]


def test_a_model_that_cannot_be_allocated_ends_in_the_number_of_layers_that_fit(tmp_path: Path) -> None:
    placement = Placement(("CUDA0",), 41, 41, "CUDA0", 12)
    with pytest.raises(EngineError, match=r"By its free memory 12 of 41 layers fit\. Lower n_gpu_layers \(now 41\)"):
        LlamaModel(tmp_path / "nothing.gguf", make_settings(), placement, no_progress)
