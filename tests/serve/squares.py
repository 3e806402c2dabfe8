"""A server that knows two red squares, for tests of protocols: its engine answers from a script."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

import youtu_gguf as yg
from youtu_gguf.facts import N_BINS
from youtu_gguf.serve.app import create_app
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.testing import FakeEngine

# 160x128 px, prepared as they are: black, with a large red square and a small one.
PIXELS = np.zeros((128, 160, 3), np.uint8)
PIXELS[16:80, 16:80] = PIXELS[96:112, 120:136] = (255, 0, 0)
LARGE, SMALL = [16, 16, 80, 80], [120, 96, 136, 112]

SCORE = 0.5
"""Of every box."""

_VOCABULARY = {"<FG>": 1, "<BG>": 2, **{f"<custom_{b}>": b + 2 for b in range(1, N_BINS + 1)}}
_HEAD = np.concatenate(
    [
        np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32),
        np.outer(np.arange(N_BINS, dtype=np.float32), [1, 0, 0]).astype(np.float32),  # the redder, the farther
    ]
)


def _box(left: int, top: int, right: int, bottom: int) -> str:
    return f"<box><x_{left}><y_{top}><x_{right}><y_{bottom}></box>"


BOXES = f"<ref>square</ref>{_box(*SMALL)}{_box(*LARGE)}"

ANSWERS = {
    "Detect all objects": BOXES,
    "in these classes": BOXES,
    "bounding box coordinate": f"<ref>square</ref>{_box(*LARGE)}",
    "Segment all objects": "The target categories include <ref>square</ref>.",
    "Describe": "Two red squares.",
    "Read the text": "STOP",
    "detect all the people": "",
}


def encoded(format_: str = "PNG") -> bytes:
    """Return the squares as an image file."""
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, format_)
    return buffer.getvalue()


PNG = encoded()
DATA_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def load(answers: dict[str, str] | None = None) -> yg.Model:
    """Return the model."""
    engine = FakeEngine(ANSWERS | (answers or {}), head=_HEAD, vocabulary=_VOCABULARY, probability=SCORE)
    return yg.load(engine=engine)


@contextmanager
def squares_client(settings: ServeSettings | None = None, **answers: str) -> Iterator[TestClient]:
    """Give a client of a server that is ready; `answers` come before those of the squares."""
    with TestClient(create_app(lambda: load(answers), settings), "http://localhost", False) as client:
        while client.get("/readyz").status_code != 200:
            pass
        yield client


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the intersection of two masks over their union."""
    return float((first & second).sum() / (first | second).sum())


def square(xyxy: list[int]) -> np.ndarray:
    """Return the (H, W) mask of a square."""
    left, top, right, bottom = xyxy
    bits = np.zeros(PIXELS.shape[:2], np.bool_)
    bits[top:bottom, left:right] = True
    return bits
