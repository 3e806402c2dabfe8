"""Questions about one image, for protocols whose requests are answered by a task or two."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from youtu_gguf.errors import CapabilityError
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.reading import begins_with_image
from youtu_gguf.types import Result

if TYPE_CHECKING:
    from fastapi import Request

    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job
    from youtu_gguf.types import F32

T = TypeVar("T")
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, eq=False)
class Asking:
    """A scene and the request about it. For worker threads.

    Attributes:
        scene: The image, opened.
        job: The request's work, which ends what is asked when its client hangs up.
        image: The image as it was sent.
    """

    scene: Scene
    job: Job[Any]
    image: StoredImage

    def run(self, kind: type[R], task: str, *arguments: object, **options: object) -> R:
        """Run a task whose value is of the type `kind`."""
        listening = {"progress": self.image.note_step} if begins_with_image(options) else {}
        value = self.scene.run(task, *arguments, cancel=self.job.cancel, **listening, **options)
        assert isinstance(value, kind)
        self.job.note(task, value)
        return value


async def ask_image(request: Request, image: StoredImage, ask: Callable[[Asking], T]) -> T:
    """Return what `ask` returns, called in a worker thread when it is the request's turn.

    Raises:
        ApiError: As for `Core.run`.
        ClientGoneError: The client hung up.
    """
    core = core_of(request)

    def work(job: Job[T]) -> T:
        with core.holder.use() as model, image.open(model) as scene:
            answer = ask(Asking(scene, job, image))
            if not job.cancel.is_set():
                image.note_read()
            return answer

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
