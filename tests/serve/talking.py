"""What tests of chats share: a photograph as clients send it, and a model that answers from a script."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.testing import FakeEngine

WIDTH, HEIGHT = 128, 96

BOX = "<ref>car</ref><box><x_10><y_20><x_40><y_60></box>"
ANSWERS = {"What": "A red cup.", "Where": BOX, "Detect": BOX, "Describe": "A table.", "And": "Nothing else."}


def photograph(seed: int = 0, form: str = "PNG") -> bytes:
    """Return an image file of noise, another one for every seed."""
    rgb = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, form)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image_url(data: bytes) -> dict[str, Any]:
    """Return an image as a part of an OpenAI message."""
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64_of(data)}"}}


def words(text: str) -> dict[str, Any]:
    """Return words as a part of an OpenAI message."""
    return {"type": "text", "text": text}


class Scripted:
    """Loads a model on a fake engine, which tests can look at."""

    def __init__(self, **answers: str) -> None:
        self.engine = FakeEngine(answers={**ANSWERS, **answers})

    def __call__(self) -> yg.Model:
        return yg.load(engine=self.engine)

    def forget(self) -> Scripted:
        """Forget what was asked; return this."""
        self.engine.questions.clear()
        self.engine.prefixes.clear()
        return self

    def heard(self) -> list[str]:
        """Return what the model was last told: the system text, words, "#" for an image, answers, and the question."""
        prefix = self.engine.prefixes[-1]
        parts = [part for turn in prefix.turns for part in (*turn.parts, f"> {turn.answer}")] + [*prefix.parts]
        return [prefix.system, *(p if isinstance(p, str) else "#" for p in parts), self.engine.questions[-1]]
