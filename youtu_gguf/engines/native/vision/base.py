"""What every vision tower offers. This file needs no llama.cpp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, PreparedImage

Between = Callable[[int, int], None]
"""Called after each layer with the number of layers done and of all layers; what it raises ends the encoding."""


class VisionTower(Protocol):
    """A vision tower and projector: pixels in, embeddings out. One thread at a time may use it."""

    name: str

    def encode(self, image: PreparedImage, make_room: Callable[[], None] = ..., between: Between = ...) -> F32:
        """Return the (n_tokens, n_embd) embeddings of the image tokens in raster order.

        Args:
            image: The image.
            make_room: Called where memory is short, to free what only saves time.
            between: Called after each layer, in this thread. Whatever it raises is raised here, after what the image
                took is free again; an image that is encoded afterwards gives what it would have given without.

        Raises:
            EngineError: The image needs more memory than is free, the device failed, or the result is not finite.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def no_pause(_done: int, _total: int) -> None:
    """Do nothing between layers."""


def finite(embeddings: F32) -> F32:
    """Return embeddings after checking their values.

    Raises:
        EngineError: Some are not finite.
    """
    if not np.isfinite(embeddings).all():
        raise EngineError(
            "the embeddings of an image must be finite; some are not, so the projector's file is damaged or the device "
            'computes wrongly. Check the file with `youtu-gguf doctor`, or use mmproj_device="cpu".'
        )
    return embeddings
