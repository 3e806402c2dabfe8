"""How far an engine's numbers are from the reference's, for one image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tests.reference import language, vision
from tests.reference.weights import F32, Weights
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import PreparedImage


class Agreement(NamedTuple):
    """Smallest cosine over the image tokens of the projector's output and of the final hidden states, that of the
    position before them included; largest error of the last token's logits, as a share of their range."""

    embeddings: float
    hidden: float
    logits: float


def picture(rows: int, cols: int) -> PreparedImage:
    """Noise over a gradient, so that neighbouring patches differ and distant ones do too."""
    noise = np.random.default_rng(rows * 100 + cols).integers(0, 128, (rows * 32, cols * 32, 3))
    ramp = np.linspace(0, 127, cols * 32)[None, :, None]
    return PreparedImage((noise + ramp).astype(np.uint8))


def compare(engine: NativeEngine, model: Weights, projector: Weights, image: PreparedImage, question: str) -> Agreement:
    session = engine.open(Prefix(image))
    patches = session.patches()
    assert patches.before is not None
    hidden = np.concatenate([patches.before[None], patches.hidden.reshape(image.grid.n_tokens, -1)])
    last = session.last_logits(question)
    embeddings = engine.vision.encode(image)

    expected_embeddings = vision.encode_image(projector, image.rgb)
    before, after = session.prompt_tokens(question)
    prompt = [language.embed_tokens(model, before), expected_embeddings, language.embed_tokens(model, after)]
    states = language.forward(model, np.concatenate(prompt))
    expected_hidden = states[len(before) - 1 : len(before) - 1 + len(hidden)]
    expected_last = language.logits(model, states[-1:])[0]
    session.close()
    return Agreement(
        least_cosine(embeddings, expected_embeddings),
        least_cosine(hidden, expected_hidden),
        float(np.abs(last - expected_last).max() / np.ptp(expected_last)),
    )


def least_cosine(a: F32, b: F32) -> float:
    return float(((a * b).sum(axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).min())
