"""Images that were sent, by the digest of their bytes: decoded once, opened once, for all who ask about them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from youtu_gguf.errors import InputError
from youtu_gguf.images.load import load
from youtu_gguf.model import Model
from youtu_gguf.scene.scene import Scene
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.image_check import DecodeLimit, Header, check_header
from youtu_gguf.serve.reading import Pace, Reading

if TYPE_CHECKING:
    from youtu_gguf.serve.holder import ModelHolder
    from youtu_gguf.serve.settings import ServeSettings
    from youtu_gguf.types import U8, Size

_DECODES = 2
"""Images that are decoded at the same time."""

_MOST_IMAGES = 1024
"""However small they are: each takes a few kilobytes beside its file and pixels."""

_LONGEST_TTL_S = 86_400.0
_DIGEST_BYTES = 16
_SMALL = 64 << 10
"""Bytes that are digested in the event loop's thread, in less time than another thread takes to begin."""

ImageState = Literal["new", "reading", "ready"]


class StoredImage:
    """An image that was sent. Its methods may be called in any thread.

    Attributes:
        id: `img_` and the digest of its bytes.
        data: The file as it was sent.
        format: Pillow's name of its format.
        scene: The image opened on the model; None before it was decoded, and while the model is unloaded.
        size: Width and height, upright; None before it was decoded, but not while the model is unloaded.
        expires_at: When it is dropped, in seconds since 1970, unless it is used before.
        was_read: Whether the model has read it.
        is_prepared: Whether it is to be read before it is asked about.
        reading: How far the model is with reading it.
    """

    def __init__(self, id_: str, data: bytes, header: Header, limit: DecodeLimit, pace: Pace) -> None:
        self.id, self.data, self.format = id_, data, header.format
        self.scene: Scene | None = None
        self.size: Size | None = None
        self.expires_at = 0.0
        self.was_read = self.is_prepared = False
        self.created_at = time.time()
        self.reading = Reading(pace)
        self._n_pixels, self._limit, self._pace = header.n_pixels, limit, pace
        self._opening = threading.Lock()  # held while it is decoded
        self._counting = threading.Lock()  # never held for long
        self._users = 0
        self._dropped = False

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        scene = self.scene
        return len(self.data) + (0 if scene is None else scene.rgb.nbytes)

    @property
    def state(self) -> ImageState:
        """Whether the model has read it, in a word."""
        if self.was_read:
            return "ready"
        return "reading" if self._users or self.is_prepared else "new"

    @property
    def was_dropped(self) -> bool:
        """Whether its store knows it no longer."""
        return self._dropped

    def renewed(self) -> StoredImage:
        """Return the same image as one that was just sent."""
        return StoredImage(self.id, self.data, Header(self.format, self._n_pixels), self._limit, self._pace)

    @contextmanager
    def open(self, model: Model) -> Iterator[Scene]:
        """Give the image opened on `model`; it stays open until the `with` block ends.

        One that was dropped is opened again, and closed when no one uses it any more. In a worker thread: it may be
        decoded.

        Raises:
            ApiError: Its pixels cannot be decoded.
        """
        with self._counting:
            self._users += 1
        try:
            yield self._opened(model)
        finally:
            with self._counting:
                self._users -= 1
                unused = self._taken() if self._dropped and not self._users else None
            if unused is not None:
                unused.close()
            self.settle()

    def note_step(self, stage: str, done: int, total: int) -> None:
        """Note a step of reading it: the listener of what reads it at its own size, as a whole."""
        scene = self.scene
        if not self.was_read and scene is not None:
            self.was_read = self.reading.report(stage, done, total, scene.grid.n_tokens)

    def note_read(self) -> None:
        """Note that the model has read it, also where that took no steps. For those who have it open."""
        scene = self.scene
        if not self.was_read and scene is not None:
            cost = scene.session().cost
            self.reading.seconds = cost.encode_s + cost.prefill_s
        self.was_read = True

    def settle(self) -> None:
        """Tell those who follow its reading, which has ended if no one reads it any more."""
        if self.state == "reading":
            self.reading.tell()
        else:
            self.reading.stop()

    def _opened(self, model: Model) -> Scene:
        with self._opening:
            scene = self.scene
            if scene is None or scene.model is not model:
                with self._limit.decoding(self._n_pixels), _as_answer():
                    opened = model.open(self.data)
                with self._counting:
                    self._taken()  # that of a model that was unloaded, with all its scenes
                    self.scene, self.size = opened, opened.size
                return opened
            return scene

    def pixels(self) -> U8:
        """Return (H, W, 3) RGB pixels, upright and read-only. In a worker thread: it may be decoded.

        Raises:
            ApiError: They cannot be decoded.
        """
        scene = self.scene
        if scene is not None:
            return scene.rgb
        with self._limit.decoding(self._n_pixels), _as_answer():
            return load(self.data)

    def drop(self) -> None:
        """Close the scene, once no one uses it."""
        with self._counting:
            self._dropped = True
            unused = None if self._users else self._taken()
        if unused is not None:
            unused.close()
        self.reading.tell()

    def forget_scene(self) -> None:
        """Close the scene, if no one uses it; the next use opens it again."""
        with self._counting:
            unused = None if self._users else self._taken()
        if unused is not None:
            unused.close()

    def _taken(self) -> Scene | None:
        """Return the scene, which is this image's no longer."""
        scene, self.scene, self.was_read, self.reading.seconds = self.scene, None, False, None
        return scene


@contextmanager
def _as_answer() -> Iterator[None]:
    """Answer what the package says of an image that it cannot use."""
    try:
        yield
    except InputError as exc:
        raise ApiError(400, "invalid_image", str(exc), param="image") from exc


class _Opening:
    """The decoding of an image that was sent, for all who have sent it meanwhile."""

    def __init__(self, task: asyncio.Task[StoredImage]) -> None:
        self._task = task
        self._n_waiting = 0

    async def wait(self) -> StoredImage:
        """Return the image. When no one waits any more, it is not decoded."""
        self._n_waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._n_waiting -= 1
            if not self._n_waiting:
                self._task.cancel()


class ImageStore:
    """Images by id, the longest unused of which are dropped. For the event loop's thread."""

    def __init__(self, settings: ServeSettings, holder: ModelHolder) -> None:
        self._settings, self._holder = settings, holder
        self._images: OrderedDict[str, StoredImage] = OrderedDict()
        self._openings: dict[str, _Opening] = {}
        self._slots = asyncio.Semaphore(_DECODES)
        self._limit = DecodeLimit()
        self._pace = Pace()

    @property
    def n_bytes(self) -> int:
        """Memory that all of them take."""
        return sum(image.n_bytes for image in tuple(self._images.values()))

    def __iter__(self) -> Iterator[StoredImage]:
        self.expire()
        return iter(tuple(self._images.values()))

    async def add(self, data: bytes, ttl_s: float | None = None) -> tuple[StoredImage, bool]:
        """Keep an image; return it, and whether it is new. It is checked and decoded before.

        Args:
            data: The image's file.
            ttl_s: How long it is kept unused, up to a day; the server's setting where None.

        Raises:
            ApiError: It cannot be used, or there is no model yet.
        """
        self._holder.check_ready()
        if ttl_s is not None and not 0 < ttl_s <= _LONGEST_TTL_S:
            raise ApiError(
                400, "invalid_argument", f"ttl_s must be above 0 and at most {_LONGEST_TTL_S:g}.", param="ttl_s"
            )
        id_ = image_id(data) if len(data) <= _SMALL else await asyncio.to_thread(image_id, data)
        self.expire()
        known = self._images.get(id_)
        if known is not None and known.scene is not None:
            self._touch(known, ttl_s)
            return known, False
        opening = self._openings.get(id_)
        is_new = known is None and opening is None
        if opening is None:
            task = asyncio.ensure_future(self._open(id_, data))
            opening = self._openings[id_] = _Opening(task)
            task.add_done_callback(lambda done: self._end_opening(id_, done))
        image = await opening.wait()
        self._touch(image, ttl_s)
        return image, is_new

    async def _open(self, id_: str, data: bytes) -> StoredImage:
        """Decode an image and keep it."""
        async with self._slots:
            image = self._images.get(id_)
            if image is None:
                header = await asyncio.to_thread(check_header, data, self._settings.max_pixels)
                image = StoredImage(id_, data, header, self._limit, self._pace)
            try:
                await asyncio.to_thread(self._decode, image)
            except BaseException:
                if self._images.get(id_) is not image:
                    image.drop()  # when the thread has ended
                raise
        if image.was_dropped:  # it was deleted meanwhile: what was sent since is another one
            image = image.renewed()
        self._images[id_] = image
        self._touch(image, None)
        self._shrink()
        return image

    def _end_opening(self, id_: str, task: asyncio.Task[StoredImage]) -> None:
        del self._openings[id_]
        if not task.cancelled():
            task.exception()  # those who wait have it; where no one does, it is no matter

    def _decode(self, image: StoredImage) -> None:
        with self._holder.use() as model, image.open(model):
            pass

    def get(self, id_: str) -> StoredImage:
        """Return the image with this id.

        Raises:
            ApiError: There is none.
        """
        self.expire()
        image = self._images.get(id_)
        if image is None:
            raise ApiError(
                404,
                "image_not_found",
                f"there is no image {id_[:64]!r}; it may have expired. Send it again.",
                param="image",
            )
        self._touch(image, None)
        return image

    def delete(self, id_: str) -> None:
        """Drop an image.

        Raises:
            ApiError: There is none.
        """
        self.get(id_)
        self._images.pop(id_).drop()

    def forget_scenes(self) -> None:
        """Close all scenes: the model is about to be unloaded. In any thread."""
        for image in tuple(self._images.values()):
            image.forget_scene()

    def expire(self) -> None:
        """Drop the images whose time has come."""
        now = time.time()
        for image in [image for image in self._images.values() if image.expires_at < now]:
            self._images.pop(image.id).drop()

    def _touch(self, image: StoredImage, ttl_s: float | None) -> None:
        ttl_s = self._settings.ttl_s if ttl_s is None else ttl_s
        image.expires_at = max(image.expires_at, time.time() + ttl_s)
        if image.id in self._images:
            self._images.move_to_end(image.id)

    def _shrink(self) -> None:
        """Drop the longest unused images above the limits, but never the last one."""
        left = self.n_bytes
        while len(self._images) > 1 and (left > self._settings.images_bytes or len(self._images) > _MOST_IMAGES):
            _, image = self._images.popitem(last=False)
            left -= image.n_bytes
            image.drop()


def image_id(data: bytes) -> str:
    """Return the id of an image by its bytes."""
    return f"img_{hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()}"
