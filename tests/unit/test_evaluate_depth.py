"""How good distances are: worked figures, an independent reference, what is refused, and baselines."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.layouts import ddad, nyuv2
from tests.unit.test_tasks_depth import HEAD, VOCABULARY
from youtu_gguf.evaluate import BENCHMARKS, Data, Prediction, Sample, prepare
from youtu_gguf.evaluate.data.depth_levels import DepthFile
from youtu_gguf.evaluate.kinds.depth import Depth, depth_figures
from youtu_gguf.output.depth_png import depth_levels
from youtu_gguf.testing import FakeEngine
from youtu_gguf.types import DepthMap

NAMES = ("d1", "d2", "d3", "absrel", "rmse")
PERFECT = {"d1": 1.0, "d2": 1.0, "d3": 1.0, "absrel": 0.0, "rmse": 0.0}
ALL = BENCHMARKS["nyuv2"].options("fast", {"crop": "none"})
KIND = Depth(1000)
LEVELS = np.full((4, 6), 2000, np.uint16)


def png_of(levels: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return with_truth(tmp_path, "a", LEVELS)


def with_truth(folder: Path, name: str, levels: npt.NDArray[np.uint16]) -> Sample:
    path = folder / f"{name}.png"
    path.write_bytes(png_of(levels))
    return Sample(name, folder / f"{name}.jpg", truth=DepthFile(path, 1000))


def figures(sample: Sample, said: Prediction | None, options: Mapping[str, Any] = ALL) -> dict[str, float]:
    measure = KIND.measure(Data([sample], sample.image.parent), options)
    measure.add(sample, said)
    return measure.figures()


@pytest.mark.parametrize(
    ("factor", "expected"),
    [
        (1.2495, {"d1": 1, "d2": 1, "d3": 1}),
        (1.2505, {"d1": 0, "d2": 1, "d3": 1}),
        (1 / 1.2505, {"d1": 0, "d2": 1, "d3": 1}),
        (1.5625, {"d1": 0, "d2": 0, "d3": 1}),  # the square of 1.25 itself is not below it
        (2.0, {"d1": 0, "d2": 0, "d3": 0, "absrel": 1, "rmse": 2}),
        (0.5, {"d1": 0, "d2": 0, "d3": 0, "absrel": 0.5, "rmse": 1}),
    ],
)
def test_distances_that_are_off_by_a_factor_give_the_worked_figures(
    sample: Sample, factor: float, expected: dict[str, float]
) -> None:
    found = figures(sample, Prediction({}, png_of(np.rint(LEVELS * factor).astype(np.uint16))))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_half_of_the_pixels_twice_as_far_give_one_half(sample: Sample) -> None:
    levels = LEVELS.copy()
    levels[:2] *= 2
    found = figures(sample, Prediction({}, png_of(levels)))
    assert found == pytest.approx({"d1": 0.5, "d2": 0.5, "d3": 0.5, "absrel": 0.5, "rmse": 2 * np.sqrt(0.5)})


def test_a_mean_is_one_over_images_not_over_pixels(tmp_path: Path) -> None:
    large, small = with_truth(tmp_path, "large", LEVELS), with_truth(tmp_path, "small", LEVELS[:1, :1])
    measure = KIND.measure(Data([large, small], tmp_path), ALL)
    measure.add(large, Prediction({}, png_of(LEVELS * 2)))
    measure.add(small, Prediction({}, png_of(LEVELS[:1, :1])))
    assert measure.figures()["d1"] == 0.5
    assert measure.figures(np.array([1.0, 3.0]))["d1"] == 0.75


def test_a_question_that_failed_counts_as_the_nearest_distance_everywhere(sample: Sample) -> None:
    assert figures(sample, None) == figures(sample, Prediction({}, png_of(LEVELS * 0)))
    assert figures(sample, None) == pytest.approx({"d1": 0, "d2": 0, "d3": 0, "absrel": 1.999 / 2, "rmse": 1.999})


def test_pixels_out_of_range_and_out_of_the_crop_do_not_count(tmp_path: Path) -> None:
    levels = np.zeros((480, 640), np.uint16)
    levels[45:471, 41:601] = 3000
    levels[100, 100] = 10_001
    truth = with_truth(tmp_path, "a", levels)
    wrong_outside = np.full_like(levels, 3000)
    wrong_outside[100, 100] = 1
    options = BENCHMARKS["nyuv2"].options("fast")
    assert figures(truth, Prediction({}, png_of(wrong_outside)), options) == PERFECT
    everywhere = with_truth(tmp_path, "b", np.full_like(levels, 3000))
    wrong_outside[:45] = wrong_outside[471:] = wrong_outside[:, :41] = wrong_outside[:, 601:] = 1
    wrong_outside[100, 100] = 3000
    assert figures(everywhere, Prediction({}, png_of(wrong_outside)), options) == PERFECT
    assert figures(everywhere, Prediction({}, png_of(wrong_outside)))["d1"] == 426 * 560 / (480 * 640)


@pytest.mark.parametrize(("level", "counts"), [(1, True), (10_000, True), (10_001, False)])
def test_both_ends_of_the_range_count(level: int, counts: bool, tmp_path: Path) -> None:
    truth = with_truth(tmp_path, "a", np.full((2, 2), level, np.uint16))
    assert (figures(truth, KIND.perfect(truth)) == PERFECT) == counts


def test_predictions_beyond_the_range_are_clipped_to_it(tmp_path: Path) -> None:
    truth = with_truth(tmp_path, "a", np.full((2, 2), 9000, np.uint16))
    assert figures(truth, Prediction({}, png_of(np.full((2, 2), 60_000, np.uint16))))["rmse"] == pytest.approx(1)


def test_an_image_without_known_distances_is_left_out(tmp_path: Path) -> None:
    found = figures(with_truth(tmp_path, "a", LEVELS * 0), Prediction({}, png_of(LEVELS)))
    assert list(found) == list(NAMES)
    assert np.isnan(list(found.values())).all()


def reference(predicted: npt.NDArray[Any], truth: npt.NDArray[Any], near: float, far: float) -> list[float]:
    """Pixel by pixel, in Python's own numbers."""
    ratios, relative, squares = [], [], []
    for got, true in zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True):
        if near <= true <= far:
            clipped = near if not got > near else min(got, far)
            ratios.append(max(clipped / true, true / clipped))
            relative.append(abs(clipped - true) / true)
            squares.append((clipped - true) ** 2)
    n = len(ratios)
    shares = [sum(ratio < 1.25**k for ratio in ratios) / n for k in (1, 2, 3)]
    return [*shares, sum(relative) / n, (sum(squares) / n) ** 0.5]


@pytest.mark.parametrize("seed", range(40))
def test_figures_are_those_of_a_plain_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.0, 12.0, (7, 9)) * (rng.random((7, 9)) < 0.8)
    truth[0, 0] = 5.0
    predicted = truth * rng.uniform(0.4, 2.4, truth.shape) * (rng.random(truth.shape) < 0.9)
    predicted[3, 3] = np.nan
    predicted[4, 4] = np.inf
    options = {"near_m": 0.001, "far_m": 10.0, "crop": "none", "align": "none"}
    found = depth_figures(predicted, truth, options)
    assert [found[name] for name in NAMES] == pytest.approx(reference(predicted, truth, 0.001, 10.0), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_storing_a_prediction_moves_no_pixel_further_than_half_a_level(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(300, 10_000, (40, 50)).astype(np.uint16)
    got = (levels / 1000 * rng.uniform(0.7, 1.4, levels.shape)).astype(np.float32)
    exact = depth_figures(got.astype(np.float64), levels / 1000, ALL)["d1"]
    ratio = np.maximum(got / (levels / 1000), (levels / 1000) / got)
    close = float((np.abs(ratio / 1.25 - 1) <= 0.0005 / got * 1.01).mean())  # half a level of 1 mm; and rounding
    stored = figures(with_truth(tmp_path, "a", levels), Prediction({}, depth_levels(DepthMap(got, "m")).to_png()))
    assert abs(stored["d1"] - exact) <= close < 0.01


def test_relative_distances_are_refused_unless_aligned(sample: Sample) -> None:
    relative = depth_levels(DepthMap(np.full((4, 6), 0.25, np.float32), "relative")).to_png()
    with pytest.raises(yg.InputError, match="expected distances in metres; got relative ones"):
        figures(sample, Prediction({}, relative))
    aligned = figures(sample, Prediction({}, relative), {**ALL, "align": "median"})
    assert aligned == pytest.approx(PERFECT)


def test_the_model_is_asked_in_the_range_of_the_data_set(sample: Sample) -> None:
    engine = FakeEngine(head=HEAD, vocabulary=VOCABULARY)
    with yg.load(engine=engine) as model, model.open(np.full((64, 96, 3), 255, np.uint8)) as scene:
        said = KIND.ask(scene, sample, ALL)
        assert said.form == {"unit": "m", "focal_px": None}
        assert any("NYUv2" in text for session in scene.sessions() for text in session.prefix.texts)
        with pytest.raises(yg.InputError, match="got relative ones"):
            KIND.ask(scene, sample, {**ALL, "scale": "open"})
        open_world = KIND.ask(scene, sample, {**ALL, "scale": "open", "focal_px": 700.0})
        assert open_world.form == {"unit": "m", "focal_px": 700.0}


@pytest.mark.parametrize(("name", "module"), [("nyuv2", nyuv2), ("ddad", ddad)])
def test_the_truth_of_a_layout_is_perfect_and_baselines_are_not(name: str, module: Any, tmp_path: Path) -> None:
    benchmark = BENCHMARKS[name]
    module.export(tmp_path, 3)
    data = benchmark.read(tmp_path, benchmark.splits[-1])
    options = benchmark.options()
    measure = benchmark.kind.measure(data, options)
    for sample in data.samples:
        measure.add(sample, benchmark.kind.perfect(sample))
    assert measure.figures() == PERFECT
    shares = []
    for answer in benchmark.kind.baselines(data, options).values():
        measure = benchmark.kind.measure(data, options)
        for sample in data.samples:
            measure.add(sample, answer(sample))
        shares.append(measure.figures()["d1"])
    assert 0 < min(shares) < max(shares) < 0.9


def test_the_median_depth_map_of_equal_maps_is_the_truth(tmp_path: Path) -> None:
    rows = np.repeat(np.linspace(1000, 5000, 48).astype(np.uint16)[:, None], 64, axis=1)
    samples = [with_truth(tmp_path, name, rows) for name in "abc"]
    data = Data(samples, tmp_path)
    baselines = KIND.baselines(data, ALL)
    assert figures(samples[0], baselines["median depth map"](samples[0])) == PERFECT
    assert figures(samples[0], baselines["median distance"](samples[0]))["d1"] < 0.5
    with pytest.raises(yg.InputError, match=r"expected distances from 0.001 to 10.0 m"):
        KIND.baselines(Data([with_truth(tmp_path, "z", rows * 0)], tmp_path), ALL)


def test_predictions_are_read_from_files_of_the_usual_forms(tmp_path: Path) -> None:
    nyuv2.export(tmp_path / "data", 4)
    data = BENCHMARKS["nyuv2"].read(tmp_path / "data", "test")
    folder = tmp_path / "predictions"
    (folder / "kitchen").mkdir(parents=True)
    truths = [sample.truth.read().values for sample in data.samples]
    (folder / "kitchen" / "rgb_00000.png").write_bytes(data.samples[0].truth.path.read_bytes())
    np.save(folder / "kitchen" / "rgb_00002.npy", truths[1])
    (folder / "office_rgb_00001.png").write_bytes(depth_levels(DepthMap(truths[2].astype(np.float32), "m")).to_png())
    found = KIND.read_predictions(folder, data)
    assert list(found) == ["kitchen/rgb_00000", "kitchen/rgb_00002", "office/rgb_00001"]
    for sample in data.samples[:3]:
        assert figures(sample, found[sample.id])["d1"] == 1.0


def test_predictions_that_cannot_be_used_are_refused(sample: Sample, tmp_path: Path) -> None:
    data = Data([sample], tmp_path)
    with pytest.raises(yg.InputError, match=r"expected a folder of .png or .npy files"):
        KIND.read_predictions(tmp_path / "none", data)
    folder = tmp_path / "predictions"
    folder.mkdir()
    with pytest.raises(yg.InputError, match=r"expected files such as a.png"):
        KIND.read_predictions(folder, data)
    with pytest.raises(yg.InputError, match="must be 6x4, as the truth; got 3x2"):
        figures(sample, Prediction({}, png_of(LEVELS[:2, :3])))
    for array, message in [
        (np.zeros((4, 6), np.int32), r"expected floats \(H, W\) in metres; got int32"),
        (np.zeros(24), r"expected floats \(H, W\) in metres; got float64 \(24,\)"),
        (np.array([{}], object), "expected an array as numpy.save writes it"),
    ]:
        np.save(folder / "a.npy", array)
        with pytest.raises(yg.InputError, match=message):
            KIND.read_predictions(folder, data)["a"]


def test_an_array_with_a_header_of_16_gb_is_refused_before_memory_is_taken(sample: Sample, tmp_path: Path) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (64000, 64000), }"
    header += b" " * (117 - len(header)) + b"\n"
    (folder / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    tracemalloc.start()
    with pytest.raises(yg.InputError, match="expected an array"):
        KIND.read_predictions(folder, Data([sample], tmp_path))["a"]
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


@pytest.mark.parametrize("far_m", [0.5, 0.4])
def test_an_empty_range_is_refused_before_anything_is_asked(tmp_path: Path, far_m: float) -> None:
    nyuv2.export(tmp_path, 1)
    with pytest.raises(yg.InputError, match=rf"near_m must be below far_m; got 0\.5 and {far_m}"):
        prepare("nyuv2", tmp_path, changed={"near_m": 0.5, "far_m": far_m})
