"""Images that were sent, by the digest of their bytes: decoded once, opened once, for all who ask about them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import open_file
from youtu_gguf.model import Model
from youtu_gguf.scene.scene import Scene
from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from youtu_gguf.serve.holder import ModelHolder
    from youtu_gguf.serve.settings import ServeSettings

_DECODES = 2
"""Images that are decoded at the same time: each takes four bytes a pixel."""

_DIGEST_BYTES = 16


ImageState = Literal["new", "reading", "ready"]


class StoredImage:
    """An image that was sent.

    Attributes:
        id: `img_` and the digest of its bytes.
        data: The file as it was sent.
        format: Pillow's name of its format.
        scene: The image opened on the model; None before it was decoded, and while the model is unloaded.
        expires_at: When it is dropped, in seconds since 1970, unless it is used before.
        was_read: Whether the model has read it.
        is_prepared: Whether it is to be read before it is asked about.
    """

    def __init__(self, id_: str, data: bytes, format_: str) -> None:
        self.id, self.data, self.format = id_, data, format_
        self.scene: Scene | None = None
        self.expires_at = 0.0
        self.was_read = self.is_prepared = False
        self.created_at = time.time()
        self._lock = threading.Lock()
        self._users = 0
        self._dropped = False

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return len(self.data) + (0 if self.scene is None else self.scene.rgb.nbytes)

    @property
    def state(self) -> ImageState:
        """Whether the model has read it, in a word."""
        if self.was_read:
            return "ready"
        return "reading" if self._users or self.is_prepared else "new"

    @contextmanager
    def open(self, model: Model) -> Iterator[Scene]:
        """Give the image opened on `model`; it stays open until the `with` block ends. For worker threads."""
        with self._lock:
            self._users += 1
            try:
                if self.scene is None or self.scene.model is not model:
                    self.scene = model.open(self.data)
                scene = self.scene
            except BaseException:
                self._users -= 1
                raise
        try:
            yield scene
        finally:
            with self._lock:
                self._users -= 1
                if self._dropped and not self._users:
                    self._close()

    def drop(self) -> None:
        """Close the scene, once no one uses it."""
        with self._lock:
            self._dropped = True
            if not self._users:
                self._close()

    def forget_scene(self) -> None:
        """Close the scene; the next use opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.was_read = False
        if self.scene is not None:
            self.scene.close()
            self.scene = None


class ImageStore:
    """Images by id, the longest unused of which are dropped. For the event loop's thread."""

    def __init__(self, settings: ServeSettings, holder: ModelHolder) -> None:
        self._settings, self._holder = settings, holder
        self._images: OrderedDict[str, StoredImage] = OrderedDict()
        self._decoding = asyncio.Semaphore(_DECODES)

    @property
    def n_bytes(self) -> int:
        """Memory that all of them take."""
        return sum(image.n_bytes for image in self._images.values())

    def __iter__(self) -> Iterator[StoredImage]:
        self._expire()
        return iter(tuple(self._images.values()))

    async def add(self, data: bytes, ttl_s: float | None = None) -> tuple[StoredImage, bool]:
        """Keep an image; return it, and whether it is new. It is checked and decoded before.

        Raises:
            ApiError: It cannot be used.
        """
        id_ = f"img_{hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()}"
        known = self._images.get(id_)
        if known is not None and known.scene is not None:
            self._touch(known, ttl_s)
            return known, False
        async with self._decoding:
            image = known or StoredImage(id_, data, check_header(data, self._settings.max_pixels))
            await asyncio.to_thread(self._open, image)
        image = self._images.setdefault(id_, image)
        self._touch(image, ttl_s)
        self._shrink()
        return image, known is None

    def _open(self, image: StoredImage) -> None:
        try:
            with self._holder.use() as model, image.open(model):
                pass
        except InputError as exc:
            raise ApiError(400, "invalid_image", str(exc), param="image") from exc

    def get(self, id_: str) -> StoredImage:
        """Return the image with this id.

        Raises:
            ApiError: There is none.
        """
        self._expire()
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

    def _touch(self, image: StoredImage, ttl_s: float | None) -> None:
        ttl_s = self._settings.ttl_s if ttl_s is None else ttl_s
        image.expires_at = max(image.expires_at, time.time() + ttl_s)
        if image.id in self._images:
            self._images.move_to_end(image.id)

    def _expire(self) -> None:
        now = time.time()
        for image in [image for image in self._images.values() if image.expires_at < now]:
            self._images.pop(image.id).drop()

    def _shrink(self) -> None:
        """Drop the longest unused images above the limit, but never the last one."""
        while len(self._images) > 1 and self.n_bytes > self._settings.images_bytes:
            _, image = self._images.popitem(last=False)
            image.drop()


def check_header(data: bytes, max_pixels: int) -> str:
    """Return the format of an image file, by its header.

    Raises:
        ApiError: It is no image of a format that is read, or has more than `max_pixels`.
    """
    name = f"the image ({len(data)} bytes)"
    try:
        with open_file(BytesIO(data), name) as opened:
            width, height = opened.size
            format_ = str(opened.format)
    except InputError as exc:
        raise ApiError(415, "unsupported_media_type", str(exc), param="image") from exc
    except Exception as exc:  # Pillow's decoders raise nearly anything
        message = f"expected a whole image; {name} cannot be decoded. Save it again."
        raise ApiError(400, "invalid_image", message, param="image") from exc
    if width * height > max_pixels:
        raise ApiError(
            413,
            "image_too_large",
            f"an image may have {max_pixels} pixels; {name} has {width}x{height}. Send a smaller one.",
            param="image",
        )
    return format_
