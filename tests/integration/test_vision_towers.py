"""Both vision towers: their embeddings, what happens between layers, and which one is chosen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Kind

import youtu_gguf as yg
from tests.conftest import ON_PROCESSOR, Pair
from tests.integration.test_soak import script
from tests.reference.vision import encode_image
from tests.reference.weights import Weights
from youtu_gguf import machine
from youtu_gguf.config import Settings, make_settings
from youtu_gguf.engines.native.encoder_check import image, least_cosine
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.placement import Placement
from youtu_gguf.engines.native.llama.vision import MtmdTower
from youtu_gguf.engines.native.vision import choice, ggml, tower
from youtu_gguf.engines.native.vision.base import VisionTower
from youtu_gguf.engines.native.vision.tower import WindowedTower
from youtu_gguf.errors import CapabilityError, EngineError
from youtu_gguf.gguf.header import Header
from youtu_gguf.gguf.pair import ModelPair, check_pair
from youtu_gguf.hub.models import find
from youtu_gguf.types import F32, Vision, no_progress

SETTINGS = make_settings(threads=1, **ON_PROCESSOR)
SAMPLE = image((12, 3), 0)


class EnoughError(Exception):
    """Raised between two layers."""


@pytest.fixture(scope="module")
def nano() -> ModelPair:
    return check_pair(*find("nano", None))


@pytest.fixture(scope="module")
def language_model(nano: ModelPair) -> Iterator[LlamaModel]:
    with closing(LlamaModel(nano.model.path, SETTINGS, Placement(), no_progress)) as model:
        yield model


def opened(nano: ModelPair, kind: Kind | None = Kind.F32, device: str | None = None) -> WindowedTower:
    return WindowedTower(nano.projector, nano.vision, device, 1, kind)


def opened_as(vision: Vision, nano: ModelPair, model: LlamaModel, settings: Settings = SETTINGS) -> VisionTower:
    return choice.open_tower(nano, model, replace(settings, vision=vision))


@pytest.fixture
def no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user for whom no comparison has passed yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_the_windowed_tower_is_as_near_to_float32_as_mtmd_in_every_size(nano: ModelPair) -> None:
    sizes = script("vision_sizes")
    rows = list(sizes.compare(nano, SETTINGS, sizes.grids(9, seed=1, most=60)))
    assert [str(row) for row in rows if not row.passes] == []
    assert min(row.ours for row in rows) > 0.999999


@pytest.mark.parametrize("quant", ["BF16", "F16", "Q8_0"])
@pytest.mark.parametrize(("kind", "device"), [(Kind.F32, None), (Kind.F16, None), (None, "CPU")])
def test_every_type_of_weights_gives_the_reference_on_the_processor_and_on_a_device(
    tiny_pair: Pair, tmp_path: Path, quant: str, kind: Kind | None, device: str | None
) -> None:
    path = tmp_path / f"mmproj-{quant}.gguf"
    yg.weights.quantize(tiny_pair[1], path, quant, threads=1)
    pair = check_pair(tiny_pair[0], path)
    exact = encode_image(Weights(path), SAMPLE.rgb)
    with closing(opened(pair, kind, device)) as ours:
        found = ours.encode(SAMPLE)
    assert least_cosine(found, exact) > (0.999999 if kind is Kind.F32 else 0.9999 if quant != "Q8_0" else 0.999)


def test_a_tower_that_ignores_windows_fails_the_comparison(nano: ModelPair) -> None:
    wrong = replace(nano.vision, full_layers=tuple(range(nano.vision.n_layer)))
    with closing(opened(nano)) as ours, closing(opened(replace(nano, vision=wrong))) as theirs:
        assert least_cosine(ours.encode(SAMPLE), theirs.encode(SAMPLE)) < 0.996


@pytest.mark.parametrize("vision", ["windowed", "mtmd"])
def test_each_layer_is_reported_and_what_is_raised_there_ends_the_encoding(
    vision: Vision, nano: ModelPair, language_model: LlamaModel
) -> None:
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise EnoughError

    with closing(opened_as(vision, nano, language_model)) as ours:
        undisturbed = ours.encode(SAMPLE)
        for _ in range(2):
            with pytest.raises(EnoughError):
                ours.encode(SAMPLE, between=stop)
        n_layer = nano.vision.n_layer
        assert seen == [(1, n_layer), (2, n_layer)] * 2
        seen.clear()
        again = ours.encode(SAMPLE, between=lambda *step: seen.append(step))
        assert seen == [(i + 1, n_layer) for i in range(n_layer)]
        assert np.array_equal(again, undisturbed)
        assert np.array_equal(ours.encode(SAMPLE), undisturbed)


def test_another_size_in_between_changes_nothing(nano: ModelPair) -> None:
    with closing(opened(nano)) as ours:
        first = ours.encode(SAMPLE)
        ours.encode(image((3, 11), 1))
        assert np.array_equal(ours.encode(SAMPLE), first)


@pytest.mark.parametrize("vision", ["windowed", "mtmd"])
def test_memory_is_made_before_an_image_is_refused(
    vision: Vision, nano: ModelPair, language_model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []
    with closing(opened_as(vision, nano, language_model)) as ours:
        monkeypatch.setattr(machine, "usable_memory", lambda: SimpleNamespace(free=1000, total=1000))
        with pytest.raises(EngineError, match="36 tokens needs"):
            ours.encode(SAMPLE, make_room=lambda: made.append(True))
    assert made == [True]


def overflowing(encode: object, wrong: Kind) -> object:
    def run(self: WindowedTower, *arguments: object) -> F32:
        found: F32 = encode(self, *arguments)  # type: ignore[operator]
        return found * np.float32(np.nan) if self.compute_as is wrong else found

    return run


def test_values_beyond_f16_are_computed_again_in_f32_with_a_warning(
    nano: ModelPair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(opened(nano)) as exact, closing(opened(nano, Kind.F16)) as ours:
        monkeypatch.setattr(WindowedTower, "_encode", overflowing(WindowedTower._encode, Kind.F16))
        with caplog.at_level(logging.WARNING, "youtu_gguf"):
            assert np.array_equal(ours.encode(SAMPLE), exact.encode(SAMPLE))
        assert "exceed those of F16" in caplog.text
        monkeypatch.setattr(WindowedTower, "_encode", overflowing(WindowedTower._encode, Kind.F32))
        with pytest.raises(EngineError, match="must be finite"):
            ours.encode(SAMPLE)


def test_functions_that_a_library_lacks_are_named() -> None:
    with pytest.raises(CapabilityError, match=r'ggml_init, ggml_free, .*Use vision="mtmd"'):
        ggml.resolve(SimpleNamespace())


@pytest.mark.usefixtures("no_records")
def test_the_comparison_is_made_once_for_a_projector_and_a_build(
    nano: ModelPair, language_model: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_opened = []
    init = MtmdTower.__init__
    monkeypatch.setattr(MtmdTower, "__init__", lambda *a: (n_opened.append(1), init(*a))[1])
    for _ in range(2):
        with closing(opened_as("auto", nano, language_model)) as ours:
            assert ours.name == "windowed"
    assert len(n_opened) == 1


def fail_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = WindowedTower.encode
    monkeypatch.setattr(WindowedTower, "encode", lambda *a, **k: -encode(*a, **k))


def lack_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tower, "functions", lambda: ggml.resolve(SimpleNamespace()))
    monkeypatch.setattr(ggml, "functions", lambda: ggml.resolve(SimpleNamespace()))


def have_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    from youtu_gguf.engines.native.vision import weights

    monkeypatch.setattr(weights, "KINDS", frozenset({Kind.F32}))


@pytest.mark.usefixtures("no_records")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (fail_comparison, "must give the embeddings of llama.cpp's own"),
        (lack_functions, "does not export"),
        (have_another_type, "has tensors of"),
    ],
)
def test_auto_takes_mtmd_with_a_warning_where_the_windowed_tower_cannot_be_used_and_windowed_is_an_error(
    spoil: object,
    reason: str,
    nano: ModelPair,
    language_model: LlamaModel,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil(monkeypatch)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING, "youtu_gguf"), closing(opened_as("auto", nano, language_model)) as ours:
        assert ours.name == "mtmd"
        assert ours.encode(SAMPLE).shape == (36, nano.vision.n_out)
    assert reason in caplog.text
    with pytest.raises((EngineError, CapabilityError), match=reason):
        opened_as("windowed", nano, language_model)


def test_a_projector_that_changed_since_it_was_checked_is_refused(nano: ModelPair) -> None:
    header: Header = replace(nano.projector, file_size=nano.projector.file_size + 1)
    with pytest.raises(yg.ModelFileError, match="as when it was checked"):
        opened(replace(nano, projector=header))


@pytest.mark.parametrize("vision", ["windowed", "mtmd"])
def test_the_setting_decides_in_a_loaded_model(vision: Vision, tiny_pair: Pair) -> None:
    with yg.load(*tiny_pair, n_ctx=512, threads=1, vision=vision) as model:
        assert isinstance(model.engine, NativeEngine)
        assert model.engine.vision.name == vision
        assert model.open(np.zeros((64, 96, 3), np.uint8)).depth().values.shape == (64, 96)


def test_a_type_of_matrices_is_chosen_and_stays() -> None:
    assert choice.compute_kind() in (Kind.F32, Kind.F16)
    assert choice._measured_kind() is choice._measured_kind()


def test_nothing_is_timed_for_a_projector_without_matrices_of_16_bits(
    nano: ModelPair, language_model: LlamaModel, tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_asked = []
    monkeypatch.setattr(choice, "compute_kind", lambda: (n_asked.append(1), Kind.F32)[1])
    opened_as("windowed", nano, language_model).close()
    assert not n_asked
    yg.load(*tiny_pair, n_ctx=512, threads=1, vision="windowed").close()
    assert n_asked == [1]
