"""An image opened on a model: its frames, its sessions, and its results as drawings and files. It knows no task."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self
from weakref import WeakSet

from youtu_gguf.arguments import checked_path, is_there
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.config import Settings
from youtu_gguf.engines.base import Engine, PatchStates, Session
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.forks import forkable_lock
from youtu_gguf.images import load as images
from youtu_gguf.images.zoom import checked_factor
from youtu_gguf.output import Source, find_writer
from youtu_gguf.output.camera import with_focal
from youtu_gguf.render import draw
from youtu_gguf.scene.chat import Chat
from youtu_gguf.scene.options import run_options
from youtu_gguf.types import U8, Grid, PreparedImage, ProgressFn, Result, Size, Transform, no_progress
from youtu_gguf.types.colours import thumbnail

if TYPE_CHECKING:
    import threading
    from os import PathLike
    from types import TracebackType

    from PIL import Image


class Host(Protocol):
    """What a scene needs of the model that opened it."""

    @property
    def engine(self) -> Engine:
        """What runs the network."""
        ...

    @property
    def settings(self) -> Settings:
        """How it was loaded."""
        ...

    @property
    def calibration(self) -> Calibration:
        """What is assumed about the weights and has not been published."""
        ...

    @property
    def progress(self) -> ProgressFn:
        """Called with the steps of tasks that take many."""
        ...


class OpenImage:
    """An image opened on a model. Use it as a context manager, or close it yourself; a model closes all of its own.

    A notebook shows the image.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image.
        transform: Source and prepared frame.
        grid: Rows and columns of image tokens.
        focal_px: Focal length in source pixels, where the image's file tells of it; else None.
        path: The image's file; None where it was opened from bytes or pixels.
        prepared: The image as the model sees it.
        memory: What tasks keep for later runs, by name, each with the options that it is for.
    """

    prepared: PreparedImage

    def __init__(
        self,
        model: Host,
        rgb: U8,
        focal_px: float | None = None,
        *,
        zoom: float = 1.0,
        path: Path | None = None,
        prepared: tuple[PreparedImage, Transform] | None = None,
    ) -> None:
        self._model = model
        self.rgb = rgb
        self.focal_px = focal_px
        self.path = path
        self.prepared, self.transform = prepared or images.prepare(rgb, model.engine.image_max_tokens, zoom)
        self.grid: Grid = self.prepared.grid
        self._sessions: dict[tuple[str, str], Session] = {}
        self._chats: WeakSet[Chat] = WeakSet()
        self.memory: dict[str, tuple[object, Result]] = {}
        self._opening = forkable_lock(self, "_opening")
        self._closed = False
        self.session()

    @property
    def size(self) -> Size:
        """Width and height of the source image."""
        return self.transform.source

    @property
    def model(self) -> Host:
        """The model that looks at this image."""
        return self._model

    def zoomed(self, zoom: float) -> Self:
        """Return the same image prepared `zoom` times as large where that fits. Close it yourself."""
        return type(self)(self._model, self.rgb, self.focal_px, zoom=checked_factor(zoom), path=self.path)

    def beside(self, rgb: U8) -> Self:
        """Return another image opened on the same model, such as a crop of this one. Close it yourself."""
        return type(self)(self._model, rgb)

    def session(self, before: str = "", system: str = DEFAULT_SYSTEM) -> Session:
        """Return the engine's session for this image with the text `before` in front of it, after the text `system`.

        Raises:
            EngineError: The scene is closed.
        """
        with self._opening:
            if self._closed:
                raise EngineError("this scene is closed. Open the image again.")
            key = before, system
            if key not in self._sessions:
                self._sessions[key] = self._model.engine.open(
                    Prefix(*filter(None, (before,)), self.prepared, system=system)
                )
            return self._sessions[key]

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions opened so far."""
        return tuple(self._sessions.values())

    def patches(
        self, *, cancel: threading.Event | None = None, max_s: float = math.inf, progress: ProgressFn = no_progress
    ) -> PatchStates:
        """Return the final hidden states of the image tokens, and with them the logits of any token.

        Args:
            cancel: Setting this event, from any thread, ends the reading of the image.
            max_s: Seconds that it may take, waiting for other threads included.
            progress: Called with the steps of this reading, as the option of tasks.

        Raises:
            InputError: `cancel` is no event, `max_s` is not above 0, or `progress` is no function.
            CancelledError: It was ended before the image was read.
        """
        options = run_options({"cancel": cancel, "max_s": max_s, "progress": progress}, self._model.settings)
        return self.session().patches(cancel=options.cancel, max_s=options.sampling.max_s, progress=options.progress)

    def chat(self, *, system: str = DEFAULT_SYSTEM) -> Chat:
        """Begin a conversation about the image, in which the model remembers what was said; `ask` stands alone.

        The image is not read again for it. Closing the scene closes it.

        Raises:
            InputError: The image and the system text leave no room for a question.
            EngineError: The scene is closed.
        """
        with self._opening:
            if self._closed:
                raise EngineError("this scene is closed. Open the image again.")
            chat = Chat(self._model, [self.prepared], system)
            self._chats.add(chat)
            return chat

    def draw(self, value: Result) -> Image.Image:
        """Return `value` drawn over the image, or on its own for depth; a notebook shows it.

        A label map and depth have a legend below, so their drawing is higher than the image. It works after closing
        too.

        Raises:
            InputError: A text, a count without boxes, a row of a value, or a map of an image of another size.
        """
        from PIL import Image

        return Image.fromarray(draw(self.rgb, value))

    def save(
        self,
        value: Result,
        path: str | PathLike[str],
        format: str | None = None,  # noqa: A002
        *,
        focal_px: float | Literal["assumed"] | None = None,
    ) -> None:
        """Write `value` to a file: its drawing as .png, its arrays as .npz, all of it as .json, or as another format.

        Args:
            value: What a task returned.
            path: Where to; its suffix tells the format. A file that is there is replaced, but never the image itself.
            format: Name of the format, one of `youtu_gguf.output.WRITERS`, whatever the suffix.
            focal_px: Focal length in source pixels that points in space and depth images are written with, where the
                distances were made without one. None takes that of the image's file; "assumed" that of a telephone's
                camera where the file tells of none. The files state which it is.

        Raises:
            InputError: An unknown suffix or format, a value that the format has no form for, or the image's own file;
                or a focal length that no camera has.
            OutputError: The file cannot be written.
        """
        target = checked_path("path", path)
        write = find_writer(target, format)
        if not isinstance(value, Result):
            raise InputError(f"expected a value that a task returned; got {value!r}. Save one row as value[i:i + 1].")
        if self.path is not None and is_there(target) and is_there(self.path) and target.samefile(self.path):
            raise InputError(f"expected a file to write; got {target}, the image itself. Name another file.")
        write(target, value, self._source(focal_px))

    def _source(self, focal_px: float | Literal["assumed"] | None) -> Source:
        known = with_focal(Source(self.rgb, focal_px=self.focal_px, focal_from="exif"), focal_px)
        return known if self.path is None else replace(known, context={"image": str(self.path)}, name=self.path.name)

    def close(self) -> None:
        """Release what the engine keeps for this image. Safe to call twice."""
        with self._opening:
            self._closed = True
            sessions, chats = self.sessions(), tuple(self._chats)
        for chat in chats:
            chat.close()
        for session in sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = "" if self.path is None else f"{self.path.name}, "
        closed = ", closed" if self._closed else ""
        size = f"{self.size.width}x{self.size.height}"
        return f"{type(self).__name__}({name}{size}, {self.grid.n_tokens} image tokens{closed})"

    def _repr_png_(self) -> bytes | None:
        return thumbnail(self.rgb)
