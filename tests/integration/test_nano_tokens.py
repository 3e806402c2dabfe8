"""What nano's exporter writes, as llama.cpp and the package read it; tokens above all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import youtu_gguf as yg
from scripts.nano.export import Checkpoint, export
from scripts.nano.lessons import corpus
from scripts.nano.tokenizer import N_MERGES, Tokenizer
from tests.integration.test_soak import script
from tests.reference.compare import compare, picture
from tests.reference.weights import Weights
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.errors import InputError
from youtu_gguf.gguf.header import GGUFArray
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.weights.synthetic.pair import TINY, find_type, language_tensors, vision_tensors
from youtu_gguf.weights.synthetic.values import NormalWeights


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    return script("tokens")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(corpus(), N_MERGES)


@pytest.fixture(scope="module")
def checkpoint(tokenizer: Tokenizer) -> Checkpoint:
    """Random weights in a shape whose rows fill blocks of 32."""
    vision = replace(TINY.vision, n_embd=64, n_head=2)
    empty, source, kind = Checkpoint({}, TINY.language, vision, tokenizer), NormalWeights(0), find_type("F32")
    specs = [*language_tensors(empty.shape, kind), *vision_tensors(empty.shape, kind)]
    weights = {spec.name: np.concatenate(list(source.chunks(spec))).reshape(spec.shape[::-1]) for spec in specs}
    return replace(empty, weights=weights)


@pytest.fixture(scope="module", params=["F32", "Q8_0"])
def pair(
    request: pytest.FixtureRequest, checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    return export(checkpoint, tmp_path_factory.mktemp("nano"), request.param)


def test_llama_cpp_cuts_text_as_the_tokenizer_does(soak: ModuleType, tokenizer: Tokenizer, tmp_path: Path) -> None:
    model, _ = soak.write_tiny(tokenizer, tmp_path)
    assert soak.run(300, seed=1, path=model) == []


def test_the_comparison_notices_one_merge_out_of_order(
    soak: ModuleType, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = soak.write_tiny(tokenizer, tmp_path)
    swapped = Tokenizer([*tokenizer.merges[1:], tokenizer.merges[0]])
    monkeypatch.setattr(soak, "read_tokenizer", lambda _path: swapped)
    assert len(soak.run(100, seed=1, path=model)) > 10


def test_files_say_what_they_are(pair: tuple[Path, Path], tokenizer: Tokenizer) -> None:
    model, projector = check_pair(*pair).model.metadata, check_pair(*pair).projector.metadata
    for metadata in (model, projector):
        assert metadata["general.name"] == "Youtu-VL-nano"
        assert "not Tencent's weights" in str(metadata["general.description"])
        assert metadata["general.author"] == "The youtu_gguf authors"
        assert metadata["general.license"] == "mit"
    tokens = model["tokenizer.ggml.tokens"]
    assert isinstance(tokens, GGUFArray)
    assert tokens.strings() == tokenizer.texts


def test_names_tell_model_projector_and_encoding(pair: tuple[Path, Path]) -> None:
    model, projector = pair
    assert model.name in ("Youtu-VL-nano-F32.gguf", "Youtu-VL-nano-Q8_0.gguf")
    assert projector.name == f"mmproj-{model.name}"
    assert sorted(path.name for path in model.parent.iterdir()) == [model.name, projector.name]


def test_llama_cpp_computes_what_the_reference_does_with_the_same_file(pair: tuple[Path, Path]) -> None:
    # Q8_0 rounds activations to 8 bits too: hidden states came out at 0.9986 there.
    least = 0.99999 if "F32" in pair[0].name else 0.995
    engine = NativeEngine(check_pair(*pair), make_settings(n_ctx=512, threads=1))
    found = compare(engine, Weights(pair[0]), Weights(pair[1]), picture(3, 5), "Where is the circle?")
    engine.close()
    assert found.embeddings >= least
    assert found.hidden >= least


@pytest.fixture
def scene(pair: tuple[Path, Path]) -> Iterator[yg.Scene]:
    with yg.load(*pair, n_ctx=2048, max_tokens=8, threads=1) as model:
        yield model.open(picture(3, 5).rgb)


def test_package_answers_every_kind_of_question(scene: yg.Scene) -> None:
    assert scene.ask("What is it?").raw
    assert scene.depth().values.shape == (96, 160)
    assert scene.segment(["circle", "brick wall"], present="all").ids.shape == (96, 160)


def test_saved_checkpoint_exports_to_the_same_bytes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "checkpoint")
    again = export(Checkpoint.load(tmp_path / "checkpoint"), tmp_path / "a", "Q8_0")
    first = export(checkpoint, tmp_path / "b", "Q8_0")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in first]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_norm.weight": None}, "output_norm.weight None"),
        ({"blk.9.extra": np.ones(3, np.float32)}, "blk.9.extra"),
        ({"output_norm.weight": np.ones(3, np.float32)}, r"output_norm.weight \(3,\) for \(64,\)"),
        ({"output_norm.weight": np.full(64, np.nan, np.float32)}, "finite"),
    ],
    ids=["missing", "too many", "shape", "not a number"],
)
def test_wrong_weights_are_refused_before_anything_is_written(
    change: dict[str, np.ndarray | None], message: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    weights = {name: array for name, array in {**checkpoint.weights, **change}.items() if array is not None}
    with pytest.raises(InputError, match=message):
        export(replace(checkpoint, weights=weights), tmp_path, "F32")
    assert not list(tmp_path.iterdir())
