"""Which refinement runs, and what it does to a label map; the CRF by a stand-in, and in earnest where installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.dense import ProbabilityMaps, label_map
from youtu_gguf.errors import CapabilityError, EngineError, InputError
from youtu_gguf.refine import crf
from youtu_gguf.refine.guided import GuidedFilter
from youtu_gguf.refine.labels import choose_method, labels_by_guided_filter, refined_labels
from youtu_gguf.types import Normalise, Refine, Size

RNG = np.random.default_rng(0)
# A 96x64 picture whose edge, at x = 40, is off the border between its tokens' classes.
PICTURE = np.zeros((64, 96, 3), np.uint8)
PICTURE[:, 40:] = (180, 90, 20)
SCORES = np.zeros((2, 2, 3), np.float32)
SCORES[0, :, 0], SCORES[1, :, 1:] = 1, 1

STAND_IN = """
import numpy as np
calls = []
class DenseCRF2D:
    def __init__(self, width, height, n_classes):
        calls.append(("size", width, height, n_classes))
    def setUnaryEnergy(self, unary):
        assert unary.dtype == np.float32 and unary.flags.c_contiguous
        self.unary = unary
    def addPairwiseGaussian(self, sxy, compat):
        calls.append(("gaussian", sxy, compat))
    def addPairwiseBilateral(self, sxy, srgb, rgbim, compat):
        assert rgbim.dtype == np.uint8 and rgbim.flags.c_contiguous and rgbim.flags.writeable
        calls.append(("bilateral", sxy, srgb, compat, rgbim.shape))
    def inference(self, n):
        calls.append(("iterations", n))
        return np.exp(-self.unary)[::-1]  # a visible change: classes in reverse
"""


def forget_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pydensecrf"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[object, ...]]]:
    package = tmp_path / "pydensecrf"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "densecrf.py").write_text(STAND_IN)
    with monkeypatch.context() as patch:
        forget_library(patch)
        patch.syspath_prepend(tmp_path)
        yield crf.library().calls
        for name in ("pydensecrf", "pydensecrf.densecrf"):
            sys.modules.pop(name, None)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_library(monkeypatch)
    monkeypatch.setitem(sys.modules, "pydensecrf", None)


def test_auto_is_the_guided_filter_where_no_crf_is_installed(missing: None) -> None:
    assert choose_method("auto", background=False) == "guided"


def test_auto_is_the_crf_where_it_is_installed(stand_in: list[tuple[object, ...]]) -> None:
    assert choose_method("auto", background=False) == "crf"


def test_auto_refines_nothing_with_background(stand_in: list[tuple[object, ...]]) -> None:
    assert choose_method("auto", background=True) == choose_method("none", background=True) == "none"


@pytest.mark.parametrize("refine", ["crf", "guided"])
def test_naming_a_refinement_with_background_is_an_input_error(refine: Refine) -> None:
    with pytest.raises(InputError, match=f"with background is not refined; got refine='{refine}'"):
        choose_method(refine, background=True)


def test_a_crf_that_is_not_installed_names_the_extra(missing: None) -> None:
    with pytest.raises(CapabilityError, match=r"Install the extra crf \(`pip install pydensecrf2`"):
        choose_method("crf", background=False)


@pytest.mark.parametrize("order", get_args(Normalise))
def test_guided_labels_follow_the_edge_of_the_picture(order: Normalise) -> None:
    calibration = Calibration(normalise=order)
    plain = label_map(SCORES, Size(96, 64), calibration=calibration)
    assert (plain == (np.arange(96) >= 32)).all()  # the middle between the tokens
    guided = refined_labels(SCORES, PICTURE, "guided", calibration=calibration)
    assert (guided == (np.arange(96) >= 40)).all()


@pytest.mark.parametrize(("radius", "step"), [(2, 1), (12, 4), (9, 3)])
def test_strips_and_blocks_change_nothing(radius: int, step: int) -> None:
    size = Size(66, 40_003)  # three strips; blocks and squares are incomplete at the right and the bottom
    rgb = RNG.integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    scores = RNG.normal(size=(3, 30, 2)).astype(np.float32)
    labels = labels_by_guided_filter(scores, rgb, radius, step=step, calibration=DEFAULT)
    smooth = GuidedFilter(rgb, radius, step=step)
    maps = ProbabilityMaps(scores, size, step=step)
    whole = np.stack([smooth(p) for p in maps.rows(0, -(-size.height // step))])
    top = np.sort(whole, axis=0)
    clear = top[-1] - top[-2] > 1e-3  # elsewhere rounding decides
    assert clear.mean() > 0.9
    assert np.array_equal(labels[clear], whole.argmax(axis=0)[clear])


def test_a_block_with_one_class_in_the_running_is_all_of_it() -> None:
    scores = np.zeros((3, 2, 20), np.float32)
    scores[0, :, :10], scores[1, :, 10:], scores[2] = 5, 5, 1  # the third is nowhere near
    rgb = RNG.integers(0, 256, (64, 640, 3), dtype=np.uint8)
    labels = refined_labels(scores, rgb, "guided", calibration=DEFAULT)
    assert (labels[:, :256] == 0).all()
    assert (labels[:, 384:] == 1).all()
    assert set(np.unique(labels)) == {0, 1}


def test_the_crf_gets_probabilities_picture_and_constants(stand_in: list[tuple[object, ...]]) -> None:
    labels = refined_labels(SCORES, PICTURE, "crf", calibration=DEFAULT)
    assert stand_in == [
        ("size", 96, 64, 2),
        ("gaussian", 3, 3),
        ("bilateral", 80, 13, 10, (64, 96, 3)),
        ("iterations", 5),
    ]
    assert np.array_equal(labels, 1 - label_map(SCORES, Size(96, 64)))  # the stand-in reverses the classes


def test_classes_nowhere_near_the_best_are_kept_from_the_crf(stand_in: list[tuple[object, ...]]) -> None:
    far = np.concatenate([np.full((1, 2, 3), -9, np.float32), SCORES])
    labels = refined_labels(far, PICTURE, "crf", calibration=DEFAULT)
    assert stand_in[0] == ("size", 96, 64, 2)
    assert set(np.unique(labels)) == {1, 2}


def test_a_crf_beyond_the_free_memory_is_refused() -> None:
    with pytest.raises(EngineError, match=r"a CRF of 150 classes over 1000000.0 megapixels needs .* Refine otherwise"):
        crf.check_memory(150, 10**12)


@pytest.mark.skipif(find_spec("pydensecrf") is None, reason="pydensecrf2 (the extra crf) is not installed")
def test_crf_labels_follow_the_edge_of_the_picture() -> None:
    picture = PICTURE.copy()
    picture.setflags(write=False)  # as those that Pillow decodes are
    labels = refined_labels(SCORES, picture, "crf", calibration=DEFAULT)
    assert (labels == (np.arange(96) >= 40)).mean() > 0.99
