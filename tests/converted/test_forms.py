"""The form of a file makes no difference to prompts and answers: weights and ids are the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.engines.llama_server.binary import find_llama_server
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import YoutuError
from youtu_gguf.facts import BEGIN
from youtu_gguf.images.load import prepare
from youtu_gguf.types import FileForm

SETTINGS = {"n_ctx": 1024, "threads": 1, "image_max_tokens": 40, "max_tokens": 16, "temperature": 0.0}
QUESTION = "Which of <ref>cat</ref> and <box><x_3><y_4></box> is it?"


def write(folder: Path, form: FileForm) -> Pair:
    return yg.weights.write_synthetic_pair(folder, "tiny", variant=form)


def answers(pair: Pair, image: Path) -> tuple[list[int], str, str, np.ndarray, np.ndarray]:
    """Return what a model reads and answers: prompt tokens, words, boxes as text, labels and depth."""
    with yg.load(*pair, **SETTINGS) as model:
        engine = model.engine
        assert isinstance(engine, NativeEngine)
        scene = model.open(image)
        session = engine.open(Prefix(prepare(scene.rgb, 40)[0]))
        before, after = session.prompt_tokens(QUESTION)
        assert [*before, *after].count(engine.token_id(BEGIN)) == 3  # system, user, assistant; none in front of them
        segmented = scene.segment(["cat", "blue sky", "c++"], present="all", refine="none")
        return [*before, *after], scene.ask(QUESTION).raw, scene.detect().raw, segmented.ids, scene.depth().values


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, photographs: dict[str, Path]) -> tuple[object, ...]:
    return answers(write(tmp_path_factory.mktemp("published"), "named"), photographs["cat"])


@pytest.mark.parametrize("form", [form for form in get_args(FileForm) if form != "named"])
def test_every_form_reads_and_answers_alike(
    form: FileForm, published: tuple[object, ...], photographs: dict[str, Path], tmp_path: Path
) -> None:
    for found, right in zip(answers(write(tmp_path, form), photographs["cat"]), published, strict=True):
        assert np.array_equal(found, right)


@pytest.fixture
def llama_server() -> Iterator[None]:
    try:
        find_llama_server()
    except YoutuError:
        pytest.skip("no llama-server is installed")
    yield


@pytest.mark.usefixtures("llama_server")
def test_a_server_reads_one_first_token_whatever_the_file_asks_for(
    photographs: dict[str, Path], tmp_path: Path
) -> None:
    """llama-server adds the first token where the file says so; the template has it already."""
    told = []
    for form in ("named", "bos"):
        with yg.load(*write(tmp_path / form, form), engine="server", n_slots=1, **SETTINGS) as model:
            told.append(model.open(photographs["cat"]).ask("What is it?").raw)
    assert told[0] == told[1]
