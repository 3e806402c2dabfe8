"""All batches of a server: how many there may be, and when they and their files go."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from youtu_gguf.errors import OutputError
from youtu_gguf.serve.batch_folder import BatchFolder
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.image_batch import BatchLimits, ImageBatch

if TYPE_CHECKING:
    from youtu_gguf.serve.batch_rows import Row
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.task_requests import BatchRequest

LOG = logging.getLogger("youtu_gguf.serve")

_SOON_S = 5.0


class Batches:
    """All batches of a server. For the event loop's thread.

    Args:
        core: The server.

    Attributes:
        limits: How much is kept.
        folder: Where its files are.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.limits = BatchLimits()
        self.folder = BatchFolder()
        self._batches: dict[str, ImageBatch] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._removals: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[ImageBatch]:
        return iter(tuple(self._batches.values()))

    @property
    def results_bytes(self) -> int:
        """Bytes of the lines of all batches."""
        return sum(batch.results_bytes for batch in self)

    def get(self, id_: str) -> ImageBatch:
        """Return the batch with this id.

        Raises:
            ApiError: There is none.
        """
        self.expire()
        batch = self._batches.get(id_)
        if batch is None:
            raise ApiError(
                404, "batch_not_found", f"there is no batch {id_[:64]!r}; it may have expired. Start another."
            )
        batch.touch()
        return batch

    async def begin(self, client: str, request: BatchRequest) -> ImageBatch:
        """Return a new batch.

        Raises:
            ApiError: There are too many, or the disk cannot be written to.
        """
        self._core.holder.check_ready()
        if self._core.jobs.draining:
            raise ApiError(503, "draining", "the server is stopping. Ask again when it is back.", retry_after_s=_SOON_S)
        self.expire()
        self._make_room()
        try:
            root = await asyncio.to_thread(self.folder.path)
            batch = ImageBatch(self._core, client, request, root, self.limits, self._threads())
            await asyncio.to_thread(batch.folder.mkdir, 0o700)
        except (OutputError, OSError) as exc:
            LOG.error("the files of a batch have no place: %s", exc)
            message = "the server has no place for the files of a batch. Its log says why."
            raise ApiError(503, "engine_unavailable", message) from exc
        self._batches[batch.id] = batch
        return batch

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.limits.batches, "youtu-gguf batches")
        return self._pool

    def _make_room(self) -> None:
        if len(self._batches) < self.limits.batches:
            return
        ended = [batch for batch in self if batch.has_ended]
        if not ended:
            message = f"there are {self.limits.batches} batches, and none has ended. Wait for one, or delete it."
            raise ApiError(429, "queue_full", message, retry_after_s=60)
        self.forget(min(ended, key=lambda batch: batch.used_at))

    async def add(self, batch: ImageBatch, name: str, data: bytes) -> tuple[Row, bool]:
        """Add an image to a batch; see `ImageBatch.add`.

        Raises:
            ApiError: Also where too many files wait.
        """
        waiting = sum(each.waiting_bytes for each in self)
        if waiting and waiting + len(data) > self.limits.waiting_bytes:
            message = "many images wait to be asked about. Send this one again after the time that Retry-After says."
            raise ApiError(429, "queue_full", message, retry_after_s=_SOON_S)
        return await batch.add(name, data)

    def forget(self, batch: ImageBatch) -> None:
        """End a batch and delete its files, as soon as no one writes to them."""
        self._batches.pop(batch.id, None)
        batch.stop()
        task = asyncio.ensure_future(_removed(batch))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    def expire(self) -> None:
        """Forget the batches whose time has come."""
        now = time.time()
        for batch in self:
            if batch.expires_at < now and (batch.has_ended or batch.state == "open"):
                self.forget(batch)

    async def stop(self) -> None:
        """End the work of all batches; their own threads have ended then."""
        for batch in self:
            await batch.close()

    async def close(self) -> None:
        """Delete all batches with their files, after the threads of the queue have ended."""
        for batch in self:
            self.forget(batch)
        if self._removals:
            await asyncio.wait(self._removals)
        if self._pool is not None:
            self._pool.shutdown()
        await asyncio.to_thread(self.folder.remove)


async def _removed(batch: ImageBatch) -> None:
    await batch.close()
    await asyncio.to_thread(batch.release)
    await asyncio.to_thread(shutil.rmtree, batch.folder, ignore_errors=True)
