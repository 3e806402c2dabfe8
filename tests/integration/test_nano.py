"""The small model that ships: it is found by name, small enough, and sees drawn scenes through the public API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.ablation import ablate
from scripts.nano.evaluate import AIMS, BESIDE, evaluate
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.reference.compare import compare
from tests.reference.weights import Weights
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import PreparedImage

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "nano"
SEES = {
    "segment_all_miou": 0.88, "segment_model_miou": 0.85, "detect_ap50": 0.7, "ground_acc50": 0.75, "polygon_miou": 0.6,
    "core_miou": 0.8, "depth_d1": 0.92, "count_exact": 0.75,
    "classify_accuracy": 0.75, "pose_pck10": 0.85, "ocr_exact": 0.85, "describe_f1": 0.7,
}  # fmt: skip
"""Below what 300 scenes give (docs/benchmarks.md): a dozen scenes scatter."""


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=400) as model:
        yield model


def test_the_pair_is_small_and_has_its_card() -> None:
    sizes = [path.stat().st_size for path in SHIPPED.glob("*.gguf")]
    assert len(sizes) == 2
    assert sum(sizes) <= 24e6
    assert "**not the published model**" in " ".join((SHIPPED / "README.md").read_text(encoding="utf-8").split())


def test_it_sees_scenes_it_was_never_trained_on(nano: yg.Model) -> None:
    figures = evaluate(nano, 12).figures()
    assert set(figures) == {*AIMS, *BESIDE}
    assert {name: figures[name] for name, floor in SEES.items() if figures[name] < floor} == {}
    assert figures["depth_absrel"] <= 0.1


def test_every_step_of_the_recipe_can_be_taken_away_and_measured(nano: yg.Model) -> None:
    figures = ablate(nano, 3, seed=1)
    best = figures["mean of the name's tokens, upsampled, then argmax"]
    assert best > figures["argmax, then upsampled"]
    assert best > figures["first token of the name only"]


@pytest.mark.parametrize("size", [(256, 256), (224, 320)])
def test_llama_cpp_runs_it_as_the_reference_does(nano: yg.Model, size: tuple[int, int]) -> None:
    """The reference computes in float32 on the same rounded weights; llama.cpp rounds activations to 8 bits too."""
    assert isinstance(nano.engine, NativeEngine)
    pair = nano.engine.pair
    image = PreparedImage(draw(TEST_SEEDS + 5, size).rgb)
    found = compare(nano.engine, Weights(pair.model.path), Weights(pair.projector.path), image, "How many objects?")
    assert found.embeddings >= 0.999
    assert found.hidden >= 0.99


def test_its_states_do_not_depend_on_how_often_it_was_asked(nano: yg.Model) -> None:
    image = PreparedImage(draw(TEST_SEEDS + 6, (256, 256)).rgb)
    assert isinstance(nano.engine, NativeEngine)
    with closing(nano.engine.open(Prefix(image))) as session:
        first = session.patches().hidden.copy()
    with closing(nano.engine.open(Prefix(image))) as session:
        assert np.array_equal(session.patches().hidden, first)


def test_counting_by_detection_agrees_with_the_boxes_it_detects(nano: yg.Model) -> None:
    n_counted = 0
    for seed in range(TEST_SEEDS + 20, TEST_SEEDS + 26):
        truth = draw(seed)
        with closing(nano.open(truth.rgb)) as scene:
            for kind in sorted({thing.kind for thing in truth.things}):
                boxes, count = scene.detect([kind], scores=True), scene.count(kind, by="detection", scores=True)
                own = [i for i, label in enumerate(boxes.labels) if label == kind]
                assert count.value == len(own)
                assert count.boxes is not None
                assert boxes.scores is not None
                assert count.boxes.xyxy.tolist() == boxes.xyxy[own].tolist()
                assert count.score == (pytest.approx(boxes.scores[own].mean()) if own else None)
                n_counted += len(own)
    assert n_counted


def test_the_command_line_finds_it_by_name(tmp_path: Path) -> None:
    truth = draw(TEST_SEEDS + 7)
    Image.fromarray(truth.rgb).save(tmp_path / "scene.png")
    command = [sys.executable, "-m", "youtu_gguf", "segment", tmp_path / "scene.png", "sky", "grass", "circle"]
    command += ["--model", "nano", "--present", "all", "--json", "--threads", "1", "-o", tmp_path / "labels.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["classes"] == ["sky", "grass", "circle"]
    with Image.open(tmp_path / "labels.png") as picture:
        assert picture.width >= truth.rgb.shape[1]
