"""A scene: one image, asked many things, answering with values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, cast, overload

from youtu_gguf import image as images
from youtu_gguf import prompts
from youtu_gguf.crop import CROP_SIZE, PADDING
from youtu_gguf.engines.base import PatchStates, Prefix, Session
from youtu_gguf.streaming import TextStream
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.base import phrase as checked_phrase
from youtu_gguf.types import (
    U8,
    Boxes,
    Count,
    DepthMap,
    Grid,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Size,
    Text,
)
from youtu_gguf.work import Work

if TYPE_CHECKING:
    import threading

    from youtu_gguf.model import Model

R = TypeVar("R", bound=Result)


class Scene:
    """One image, encoded once and asked many things.

    Every task takes `strict=True` to raise `DecodeError` at the first flaw in the model's answer; otherwise good items
    are kept and flaws are listed in the value's `issues`. Tasks raise `InputError` for arguments that cannot be used,
    `ModelFileError` where the vocabulary lacks tokens the task needs, and `CapabilityError` where the engine gives no
    hidden states.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image.
        transform: Source and prepared frame.
        grid: Rows and columns of image tokens.
    """

    def __init__(self, model: Model, rgb: U8) -> None:
        self._model = model
        self.rgb = rgb
        self._prepared, self.transform = images.prepare(rgb, model.engine.image_max_tokens)
        self.grid: Grid = self._prepared.grid
        self._sessions: dict[str, Session] = {}
        self.session()

    @property
    def size(self) -> Size:
        """Width and height of the source image."""
        return self.transform.source

    @property
    def model(self) -> Model:
        """The model that looks at this scene."""
        return self._model

    def session(self, before: str = "") -> Session:
        """Return the engine's session for this image with the text `before` in front of it."""
        if before not in self._sessions:
            self._sessions[before] = self._model.engine.open(Prefix(self._prepared, before))
        return self._sessions[before]

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions opened so far."""
        return tuple(self._sessions.values())

    def patches(self) -> PatchStates:
        """Return the final hidden states of the image tokens, and with them the logits of any token."""
        return self.session().patches()

    @overload
    def ask(self, question: str, *, stream: Literal[False] = False, strict: bool = False) -> Text: ...
    @overload
    def ask(self, question: str, *, stream: Literal[True], cancel: threading.Event | None = None) -> TextStream: ...
    def ask(
        self, question: str, *, stream: bool = False, strict: bool = False, cancel: threading.Event | None = None
    ) -> Text | TextStream:
        """Ask anything; with `stream`, get an iterator over the answer's pieces. `cancel` ends a stream early."""
        return self._stream(question, cancel) if stream else self._run("ask", question, strict=strict, expect=Text)

    @overload
    def describe(self, *, stream: Literal[False] = False, strict: bool = False) -> Text: ...
    @overload
    def describe(self, *, stream: Literal[True], cancel: threading.Event | None = None) -> TextStream: ...
    def describe(
        self, *, stream: bool = False, strict: bool = False, cancel: threading.Event | None = None
    ) -> Text | TextStream:
        """Describe the image; `stream` and `cancel` as for `ask`."""
        return self._stream(prompts.DESCRIBE, cancel) if stream else self._run("describe", strict=strict, expect=Text)

    def _stream(self, question: str, cancel: threading.Event | None) -> TextStream:
        words = checked_phrase(question, "the question")
        return TextStream(self.session().generate(words, self._model.settings.sampling, cancel))

    def ocr(self, *, strict: bool = False) -> Text:
        """Read the text in the image."""
        return self._run("ocr", strict=strict, expect=Text)

    def classify(self, *, strict: bool = False) -> Text:
        """Name the category of the primary object, in a word or a phrase."""
        return self._run("classify", strict=strict, expect=Text)

    def count(self, what: str, *, strict: bool = False) -> Count:
        """Count the objects that `what` names, such as "dog"."""
        return self._run("count", what, strict=strict, expect=Count)

    def ground(self, description: str, *, strict: bool = False) -> Boxes:
        """Find the region a phrase describes."""
        return self._run("ground", description, strict=strict, expect=Boxes)

    def detect(self, classes: Sequence[str] | None = None, *, strict: bool = False) -> Boxes:
        """Find every object of `classes`, or of any class when None."""
        return self._run("detect", classes, strict=strict, expect=Boxes)

    def polygon(self, description: str, *, strict: bool = False) -> Polygons:
        """Outline the object a phrase describes."""
        return self._run("polygon", description, strict=strict, expect=Polygons)

    def pose(self, *, strict: bool = False) -> Poses:
        """Find every person and its 16 joints, in the order of `types.MPII_JOINTS`."""
        return self._run("pose", strict=strict, expect=Poses)

    def refer(
        self,
        phrase: str | None = None,
        *,
        box: Sequence[float] | None = None,
        crop_size: int = CROP_SIZE,
        padding: float = PADDING,
        strict: bool = False,
    ) -> Mask:
        """Mask the object that a phrase describes, or the one in a box.

        A phrase is grounded first. The surroundings of the box are enlarged, the box is drawn on them, and the model
        tells foreground from background there; nothing is generated for that.

        Args:
            phrase: What to mask; exactly one of this and `box` is given.
            box: Left, top, right, bottom in source pixels.
            crop_size: Short side of the enlarged picture; smaller is faster.
            padding: Sides of the surroundings relative to those of the box, at least 1.
            strict: Raise `DecodeError` at any flaw.

        Returns:
            The mask. Its score is the mean over its pixels of sigmoid(foreground - background); 0 where it is empty.
        """
        return self._run("refer", phrase, box, crop_size, padding, strict=strict, expect=Mask)

    def segment(
        self,
        classes: Sequence[str],
        *,
        present: Literal["model", "all"] = "model",
        background: bool = False,
        refine: Literal["auto", "crf", "guided", "none"] = "auto",
        strict: bool = False,
    ) -> LabelMap:
        """Label every pixel with one of `classes`.

        `present="model"` lets the model name which of them are there, as the reference does; `present="all"` scores
        exactly the classes given and generates nothing. With `background`, pixels may belong to none (-1).

        `refine` pulls the borders between classes to the edges of the picture: "crf" as the reference does (needs the
        extra `crf`, else CapabilityError), "guided" by a filter of our own, or "none". "auto" takes the CRF where it is
        installed, else the filter; with `background`, which the reference does not refine, it takes none, and naming
        one is an InputError. `LabelMap.refined_by` says what ran.
        """
        return self._run("segment", classes, present, background, refine, strict=strict, expect=LabelMap)

    def depth(self, *, scale: str = "open", focal_px: float | None = None, strict: bool = False) -> DepthMap:
        """Estimate the distance of every pixel.

        `scale` is "open" for any picture, or "nyuv2", "cityscapes", "ddad" for those data sets' ranges. Open-world
        depth is relative unless `focal_px`, the focal length in source pixels, is given.
        """
        return self._run("depth", scale, focal_px, strict=strict, expect=DepthMap)

    def close(self) -> None:
        """Release what the engine keeps for this image."""
        for session in self._sessions.values():
            session.close()

    def _run(self, name: str, *arguments: object, strict: bool, expect: type[R]) -> R:
        """Run a registered task and add to its value what every value carries."""
        work = Work(self)
        task = TASKS[name]
        started = time.perf_counter()
        if task.tokens:
            work.require_tokens(task.tokens, name)
        value = cast("R", task.run(work, *arguments))
        assert isinstance(value, expect)
        return work.settle(value, time.perf_counter() - started, strict=strict)
