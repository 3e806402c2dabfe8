"""A batch: many images and the questions about each of them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import OutputError
from youtu_gguf.serve.batch_rows import Row, plain_name
from youtu_gguf.serve.batch_runs import BatchRun, StoppedError
from youtu_gguf.serve.errors import ApiError, as_api_error
from youtu_gguf.serve.image_check import check_header

if TYPE_CHECKING:
    from youtu_gguf.batch.journal import Line
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.task_requests import BatchRequest

LOG = logging.getLogger("youtu_gguf.serve")

BatchState = Literal["open", "running", "done", "stopped", "failed"]

_TIMED = 20
"""Images, the last ones, that the time left is estimated from."""

_SOON_S = 5.0


@dataclass(frozen=True)
class BatchLimits:
    """How much is kept.

    Attributes:
        batches: Batches at the same time. For a further one the one that ended first is forgotten.
        images: Images of a batch.
        waiting_bytes: Bytes of files that wait, of all batches.
        results_bytes: Bytes of lines, of all batches: they are in memory too.
        kept_s: How long a batch is kept after its last use.
    """

    batches: int = 16
    images: int = 5_000
    waiting_bytes: int = 2 << 30
    results_bytes: int = 256 << 20
    kept_s: float = 86_400.0


class ImageBatch:
    """One batch. For the event loop's thread.

    Attributes:
        id: Names it.
        client: Whose it is, for fairness.
        request: What is asked of every image.
        rows: Its images.
        finished: Indices of images, in the order in which they were finished; an image may be twice in it.
        error: What ended it, where that was an error.
        folder: Where its files are.
        results_bytes: Bytes of its lines.
        used_at: When it was last used, in seconds since 1970.
        news: Set at the next change, and then replaced.
    """

    def __init__(
        self,
        core: Core,
        client: str,
        request: BatchRequest,
        root: Path,
        limits: BatchLimits,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.id = f"bat_{uuid.uuid4().hex}"
        self.client, self.request, self.folder = client, request, root / self.id
        self.rows: list[Row] = []
        self.finished: list[int] = []
        self.error: ApiError | None = None
        self.created_at = self.used_at = time.time()
        self.news = asyncio.Event()
        self.results_bytes = 0
        self._core, self._limits, self._pool = core, limits, pool
        self._adding = asyncio.Lock()
        self._named: dict[str, Row] = {}
        self._by_path: dict[Path, Row] = {}
        self._is_open, self._is_stopped = True, False
        self._run: BatchRun | None = None
        self._driver: asyncio.Task[None] | None = None

    @property
    def state(self) -> BatchState:
        """How far it is, in a word."""
        if self.error is not None:
            return "failed"
        if self._is_stopped:
            return "stopped"
        if self._is_open:
            return "open"
        return "done" if all(row.is_finished for row in self.rows) else "running"

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.state in ("done", "stopped", "failed")

    @property
    def is_quiet(self) -> bool:
        """Whether it has ended, and its thread too."""
        return self.has_ended and self._driver is None

    @property
    def waiting_bytes(self) -> int:
        """Bytes of files on the disk."""
        return sum(row.n_bytes for row in self.rows)

    @property
    def expires_at(self) -> float:
        """When it is forgotten, in seconds since 1970, unless it is used before or is running."""
        return self.used_at + self._limits.kept_s

    def touch(self) -> None:
        """Keep it for longer."""
        self.used_at = time.time()

    def form(self) -> dict[str, Any]:
        """Return what is told of it, as JSON, without its images."""
        n_failed = sum(row.state == "failed" for row in self.rows)
        running = next((row.index for row in self.rows if row.state == "running"), None)
        return {
            "id": self.id,
            "state": self.state,
            "tasks": [{"task": asked.task, **asked.arguments} for asked in self.request.questions],
            "total": len(self.rows),
            "done": sum(row.state == "done" for row in self.rows),
            "failed": n_failed,
            "running": running,
            "left_s": self._left_s(),
            "error": None if self.error is None else self.error.body(),
        }

    def _left_s(self) -> float | None:
        """Return the estimated seconds until all images that are there are finished; None where that is not known."""
        lines = [self.rows[index].line for index in self.finished[-_TIMED:]]
        seconds = [line["seconds"] for line in lines if line is not None and "results" in line]
        left = sum(not row.is_finished for row in self.rows)
        if not left or self.has_ended:
            return 0.0
        return round(left * sum(seconds) / len(seconds), 1) if seconds else None

    async def add(self, name: str, data: bytes) -> tuple[Row, bool]:
        """Add an image; return it, and whether it is new: the same bytes under the same name are added once.

        An image that cannot be used is added too, and its line says why.

        Raises:
            ApiError: No image can be added, the name stands for another image, or the disk is full.
        """
        plain = plain_name(name)
        async with self._adding:
            if self.state != "open":
                message = f"this batch takes no more images: it is {self.state}. Start another one."
                raise ApiError(400, "invalid_argument", message)
            digest = (await asyncio.to_thread(hashlib.blake2b, data)).hexdigest()
            known = self._named.get(plain)
            if known is not None:
                return self._same(known, digest), False
            if len(self.rows) >= self._limits.images:
                message = f"a batch may have {self._limits.images} images. Start another one."
                raise ApiError(413, "payload_too_large", message)
            row = await self._stored(plain, digest, data)
            self.rows.append(row)
            self._named[plain], self._by_path[row.path] = row, row
        self._tell()
        self._wake()
        return row, True

    def _same(self, known: Row, digest: str) -> Row:
        if known.digest != digest:
            message = f"there is another image named {known.name[:80]!r} in this batch. Name each one differently."
            raise ApiError(400, "invalid_argument", message, param="name")
        return known

    async def _stored(self, name: str, digest: str, data: bytes) -> Row:
        index = len(self.rows)
        row = Row(index, name, self.folder / f"{index:05}", digest, 0)  # nothing of the client's is in a path
        try:
            await asyncio.to_thread(check_header, data, self._core.settings.max_pixels)
        except ApiError as error:
            row.refusal = error
            return row
        try:
            await asyncio.to_thread(write_bytes, row.path, data, private=True)
        except OutputError as exc:
            LOG.error("an image of a batch cannot be written: %s", exc)
            message = "the server's disk has no room for the image. Send it again when there is."
            raise ApiError(503, "queue_full", message, retry_after_s=_SOON_S) from exc
        row.n_bytes = len(data)
        return row

    def end(self) -> None:
        """Take no more images."""
        self._is_open = False
        self._tell()

    def stop(self) -> None:
        """End the work, and take no images until `retry`; what is finished is kept."""
        if not self.has_ended:
            self._is_stopped = True
            if self._run is not None:
                self._run.halt()
            self._tell()

    def retry(self) -> None:
        """Ask again the images that have errors, and those that a stop left.

        Raises:
            ApiError: The batch is about to stop.
        """
        if self.has_ended and self._driver is not None:
            message = "the batch is stopping. Ask again soon."
            raise ApiError(503, "queue_full", message, retry_after_s=1)
        self.error, self._is_stopped = None, False
        for row in self.rows:
            if row.state == "failed" and row.refusal is None:
                row.again()
        self._tell()
        self._wake()

    def _tell(self) -> None:
        self.touch()
        news, self.news = self.news, asyncio.Event()
        news.set()

    def _wake(self) -> None:
        """See to it that images which wait are asked about."""
        if self._driver is None and not self._is_stopped and self.error is None:
            self._driver = asyncio.get_running_loop().create_task(self._drive(), name=self.id)

    async def _drive(self) -> None:
        """Ask about images as long as any wait."""
        try:
            if self._run is None:
                self._run = BatchRun(
                    self._core,
                    self.client,
                    self.request,
                    self.folder / "journal",
                    self._begun,
                    self._finish,
                )
            self._run.resume()
            while waiting := [row.path for row in self.rows if row.state == "waiting"]:
                await asyncio.get_running_loop().run_in_executor(self._pool, self._run.run, waiting)
        except StoppedError:
            self._is_stopped = True
        except Exception as exc:  # noqa: BLE001 - whatever ends it is what is told of it
            self.error = _ending(exc, self.id)
        finally:
            for row in self.rows:
                if row.state == "running":
                    row.state = "waiting"
            self._driver = None
            self._tell()

    def _begun(self, path: Path) -> ApiError | None:
        row = self._by_path[path]
        row.state = "running"
        self._tell()
        return row.refusal

    def _finish(self, path: Path, line: Line, n_bytes: int) -> None:
        row = self._by_path[path]
        row.finish(line)
        if row.state == "done":
            row.n_bytes = 0
        self.finished.append(row.index)
        self.results_bytes = n_bytes
        if self._core.batches.results_bytes > self._limits.results_bytes:
            most = self._limits.results_bytes
            message = f"the results of all batches may have {most} bytes. Save those of this one, and delete batches."
            self.error = ApiError(413, "payload_too_large", message)
            if self._run is not None:
                self._run.halt()
        self._tell()

    async def close(self) -> None:
        """End the work. Its own thread has ended when this returns; that of the image in progress is about to."""
        self.stop()
        while self._driver is not None:
            await asyncio.wait([self._driver])

    def release(self) -> None:
        """Wait for the last thread, and let the files be deleted. After `close`, not in the event loop's thread."""
        if self._run is not None:
            self._run.close()


def _ending(error: Exception, id_: str) -> ApiError:
    """Return what is told of the error that ended a batch; the log has what that does not say."""
    if isinstance(error, OutputError):
        LOG.error("the results of %s cannot be written: %s", id_, error)
        message = 'the server\'s disk has no room for results. Free some, then resume with {"action": "retry"}.'
        return ApiError(503, "engine_unavailable", message)
    answer = as_api_error(error)
    if answer.code == "internal":
        LOG.error("%s failed", id_, exc_info=error)
    answer.message = answer.message.replace("with --retry", 'with {"action": "retry"}')
    return answer
