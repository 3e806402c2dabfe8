"""Conversations for tests: an image to talk about, and a chat on an engine that answers from a script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.cli.chat import Conversation
from youtu_gguf.cli.progress import Displays
from youtu_gguf.testing import FakeEngine


def write_image(folder: Path) -> Path:
    """Write an image of 100x50 px, prepared to 128x64: the left half black, the right half red."""
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:, 50:] = (255, 0, 0)
    Image.fromarray(pixels).save(folder / "image.png")
    return folder / "image.png"


def start_chat(
    image: Path, engine: FakeEngine, *, interactive: bool = False, quiet: bool = False, remembers: bool = False
) -> Conversation:
    model, displays = yg.load(engine=engine), Displays(False)
    return Conversation(model, str(image), displays, interactive=interactive, quiet=quiet, remembers=remembers)
