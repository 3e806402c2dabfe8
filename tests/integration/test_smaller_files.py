"""Slim and quantised copies of nano, loaded and asked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR, Pair
from youtu_gguf.engines.native.llama.devices import features
from youtu_gguf.engines.native.llama.handles import AMX
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.errors import EngineError, InputError, ModelFileError
from youtu_gguf.gguf.pair import find_projector
from youtu_gguf.hub.local import find_nano

QUESTIONS = ["Detect all objects in the provided image.", "What colour is the star?", "Estimate the depth."]


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, temperature=0.0, max_tokens=60, **ON_PROCESSOR) as model:
        yield model


def beside_projector(folder: Path) -> Path:
    projector = find_projector(find_nano())
    shutil.copy(projector, folder / projector.name)
    return folder


def test_a_slim_model_answers_to_the_last_bit_as_the_whole_one(nano: yg.Model, tmp_path: Path) -> None:
    done = yg.weights.slim(find_nano(), beside_projector(tmp_path) / "Youtu-VL-nano-slim-Q8_0.gguf")
    with yg.load(done.path, threads=1, temperature=0.0, max_tokens=60, **ON_PROCESSOR) as slim:
        for seed in range(3):
            rgb = draw(TEST_SEEDS + seed).rgb
            with closing(nano.open(rgb)) as whole, closing(slim.open(rgb)) as less:
                for question in QUESTIONS:
                    sessions = whole.session(), less.session()
                    assert all(isinstance(session, NativeSession) for session in sessions)
                    a, b = (session.last_logits(question) for session in sessions)  # type: ignore[attr-defined]
                    assert np.array_equal(np.delete(a, range(done.dropped.first, done.dropped.stop)), b)
                assert whole.detect().raw == less.detect().raw
                assert np.array_equal(whole.depth().values, less.depth().values)
                assert np.array_equal(
                    whole.segment(["sky", "grass"], present="all").ids,
                    less.segment(["sky", "grass"], present="all").ids,
                )


@pytest.mark.parametrize("encoding", ["Q4_K_M", "q8_0", "F16"])
def test_a_quantised_pair_loads_and_answers(tmp_path: Path, encoding: str) -> None:
    reported: list[tuple[str, int, int]] = []

    def report(*step: object) -> None:
        reported.append(step)  # type: ignore[arg-type]

    model = yg.weights.quantize(find_nano(), tmp_path / "model.gguf", encoding, threads=1, progress=report)
    projector = yg.weights.quantize(find_projector(find_nano()), tmp_path / "mmproj.gguf", encoding, threads=1)
    assert reported[-1][1] == reported[-1][2] > 50
    if encoding == "Q4_K_M":
        assert model.bytes_after < 0.8 * model.bytes_before
        assert projector.bytes_after < 0.8 * projector.bytes_before
    truth = draw(TEST_SEEDS + 1)
    with yg.load(model.path, projector.path, threads=1) as loaded, closing(loaded.open(truth.rgb)) as scene:
        assert scene.describe().value
        assert len(scene.detect())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mmproj.gguf", "model.gguf"]


def test_rearranged_weights_answer_alike(tmp_path: Path) -> None:
    """Q4_0 has rows of blocks that llama.cpp rearranges on most processors, whatever their width."""
    model = yg.weights.quantize(
        find_nano(), beside_projector(tmp_path) / "Youtu-VL-nano-Q4_0.gguf", "Q4_0", threads=1
    ).path
    rgb = draw(TEST_SEEDS + 1).rgb
    states = []
    if AMX in features():
        with pytest.raises(EngineError, match="this one would end the process"):
            yg.load(model, threads=1, repack=True)
        return
    for repack in (False, True):
        with yg.load(model, threads=1, repack=repack) as loaded, closing(loaded.open(rgb)) as scene:
            assert scene.describe().value
            states.append(scene.patches().hidden)
    a, b = (part.reshape(-1, part.shape[-1]) for part in states)
    cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    assert cosine.min() > 0.99
    with pytest.raises(InputError, match="repack must be True or False"):
        yg.load(model, repack="yes")


def test_what_cannot_be_quantised_is_refused_and_nothing_is_left(tiny_pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected an encoding among"):
        yg.weights.quantize(tiny_pair[0], tmp_path / "x.gguf", "Q9")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_pair[0].read_bytes()[:5000])
    with pytest.raises(ModelFileError):
        yg.weights.quantize(cut, tmp_path / "x.gguf", "Q8_0")
    with pytest.raises(InputError, match="the source itself"):
        yg.weights.quantize(tiny_pair[0], tiny_pair[0], "Q8_0")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.gguf"]


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    for words in (["slim"], ["quantize"]):
        target = tmp_path / f"{words[0]}.gguf"
        more = ["Q4_K_M", "--threads", "1"] if words == ["quantize"] else []
        command = [sys.executable, "-m", "youtu_gguf", *words, find_nano(), target, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert f"{find_nano().stat().st_size:,} -> {target.stat().st_size:,} bytes" in done.stdout
