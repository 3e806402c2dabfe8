"""Images that are read before they are asked about, while nothing else is to be done."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from youtu_gguf.serve.calls import Call
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.events import Event
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job


class Preparing:
    """Readings of images that no one waits for. For the event loop's thread.

    Args:
        core: The server.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, image: StoredImage, call: Call) -> None:
        """Read an image when nothing else is to be done; `DELETE /v1/requests/{id}` ends it.

        It is a hint: an image that has been read, or is being read, is not read again, and where as many images wait
        for that as requests may wait, nothing is done.
        """
        if image.state != "new" or len(self._tasks) >= self._core.settings.max_waiting:
            return

        def read(job: Job[None]) -> None:
            with self._core.holder.use() as model, image.open(model) as scene:
                if model.engine.has_states:
                    scene.patches(cancel=job.cancel, progress=image.note_step)
                    image.note_read()

        image.is_prepared = True
        with contextlib.suppress(ApiError):  # it stops, or has no model yet
            events = self._core.jobs.start(read, client=call.client, id_=call.id, background=True)
            task = asyncio.ensure_future(_to_the_end(events, image))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        image.is_prepared = False  # no one follows it yet


async def _to_the_end(events: AsyncGenerator[Event, None], image: StoredImage) -> None:
    try:
        with contextlib.suppress(ApiError):  # it was ended; whoever asks about the image reads it then
            async with contextlib.aclosing(events):
                async for _ in events:
                    pass
    finally:
        image.is_prepared = False
        image.settle()
