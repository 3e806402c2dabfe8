"""The published files against what is known of them. Runs only where they were pulled: `pytest -m full`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.facts import N_CODEBOOK, N_TOKENS, PUBLISHED_BYTES, PUBLISHED_PROJECTOR_BYTES, REPOSITORY, SPELLED_TAGS
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.types import U8, PreparedImage

pytestmark = pytest.mark.full

GOLDEN_SUM, GOLDEN_FIRST = 2104.656, (0.4770, 1.0259, 0.0240)
"""What the projector makes of llama.cpp's debug image "rainbow" of 448 px: 196 x 2560 values (facts: files)."""


@pytest.fixture(scope="module")
def files() -> tuple[Path, Path]:
    try:
        return yg.weights.find(f"{REPOSITORY}:Q8_0")
    except yg.ModelFileError as exc:
        pytest.skip(f"the published files are not on this machine: {exc}")


def rainbow(size: int) -> U8:
    """Return llama.cpp's debug image (tools/mtmd/debug): hue by direction from the middle, paler towards it.

    It is given to the encoder as values from 0 to 1 without normalisation, which 8 bits at 0.5 to 1 come to after it,
    to within 1/255: on nano the embeddings differ by 0.0006 of 1.35 (root mean square), their sum by 1 of 7,000.
    """
    y, x = np.mgrid[:size, :size].astype(np.float32) - size / 2
    hue = 6 * (np.arctan2(y, x) / (2 * np.pi) % 1)
    paleness = 1 - np.minimum(np.hypot(x, y) / (size / 2 * 2**0.5), 1)
    section, part = hue.astype(int) % 6, hue % 1
    falling, rising = 1 - (1 - paleness) * part, 1 - (1 - paleness) * (1 - part)
    full = np.ones_like(paleness)
    colours = (
        (full, rising, paleness), (falling, full, paleness), (paleness, full, rising),
        (paleness, falling, full), (rising, paleness, full), (full, paleness, falling),
    )  # fmt: skip
    values = np.stack([np.choose(section, [colour[i] for colour in colours]) for i in range(3)], axis=-1)
    return np.rint(127.5 + 127.5 * values).astype(np.uint8)


def test_files_are_those_that_the_facts_describe(files: tuple[Path, Path]) -> None:
    model, projector = (yg.weights.inspect(path) for path in files)
    assert (model.problem, projector.problem) == (None, None)
    assert (model.n_bytes, projector.n_bytes) == (PUBLISHED_BYTES["Q8_0"], PUBLISHED_PROJECTOR_BYTES)
    assert model.tokens is not None
    assert (model.tokens.n_tokens, model.tokens.lacking) == (N_TOKENS, ())
    assert [model.tokens.tags[tag] for tag in ("<ins>", "<ref>", "</ref>", "<OTHERS>")] == [
        283_365, 283_371, 283_372, 283_375
    ]  # fmt: skip
    assert {tag: model.tokens.tags[tag] for tag in SPELLED_TAGS} == dict.fromkeys(SPELLED_TAGS)
    assert model.tokens.codebook is not None, model.tokens.codebook_finding
    assert model.tokens.codebook.count == N_CODEBOOK


def test_projector_gives_the_golden_values(files: tuple[Path, Path]) -> None:
    engine = NativeEngine(check_pair(*files), make_settings(n_ctx=512))
    embeddings = engine.vision.encode(PreparedImage(rainbow(448)))
    engine.close()
    assert embeddings.shape == (196, 2560)
    assert embeddings[0, :3] == pytest.approx(GOLDEN_FIRST, abs=0.05)
    assert embeddings.sum() == pytest.approx(GOLDEN_SUM, rel=0.02)


def test_rainbow_is_red_on_the_right_and_pale_in_the_middle() -> None:
    image = rainbow(448)
    assert image[224, 447].tolist() == pytest.approx([255, 165, 165], abs=2)
    assert image[224, 224].tolist() == [255, 255, 255]
