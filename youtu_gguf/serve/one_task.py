"""One question about one image, for protocols whose requests are just that."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from youtu_gguf.errors import CapabilityError
from youtu_gguf.serve.core import core_of

if TYPE_CHECKING:
    from fastapi import Request

    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job
    from youtu_gguf.types import F32

T = TypeVar("T")

Ask = Callable[["Scene", threading.Event], "T"]
"""Asks something of a scene; setting the event ends it."""


async def ask_image(request: Request, image: StoredImage, ask: Ask[T]) -> T:
    """Return what `ask` returns, called in a worker thread when it is the request's turn.

    Raises:
        ApiError: As for `Core.run`.
        ClientGoneError: The client hung up.
    """
    core = core_of(request)

    def work(job: Job[T]) -> T:
        with core.holder.use() as model, image.open(model) as scene:
            return ask(scene, job.cancel)

    return await core.run(request, work)


def confidences(scores: F32 | None) -> list[float]:
    """Return the scores of items as numbers from 0 to 1; one that is not known is 0.

    Raises:
        CapabilityError: The engine gives none at all, and the protocol has no answer without.
    """
    if scores is None:
        raise CapabilityError(
            "this protocol gives a confidence with everything that was found, and the engine knows no probabilities. "
            "Use the native engine."
        )
    return [0.0 if math.isnan(score) else round(score, 4) for score in scores.tolist()]
