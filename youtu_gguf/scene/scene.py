"""What can be asked of an image: a method per task."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, Unpack, overload

from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.engines.base import Request, stream_answer
from youtu_gguf.facts import CROP_SIZE, MOST_INSTANCES, PADDING
from youtu_gguf.images.zoom import Zoom
from youtu_gguf.scene.many import Update, answer_together, gather
from youtu_gguf.scene.opened import OpenImage
from youtu_gguf.scene.options import Asked, Options, Question, RunOptions, run_options, split_options
from youtu_gguf.scene.run import AnswerFn, TaskRun
from youtu_gguf.scene.stream import TextStream
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.base import phrase as checked_phrase
from youtu_gguf.tasks.depth import DepthZoom, Focal
from youtu_gguf.types import (
    Action,
    Boxes,
    Count,
    CountBy,
    DepthMap,
    Find,
    Instances,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Present,
    ReferBy,
    Refine,
    Result,
    Scale,
    Text,
    placed_spans,
)

R = TypeVar("R", bound=Result)


class Scene(OpenImage):
    """One image, encoded once and asked many things.

    Every task takes the keywords of `youtu_gguf.scene.options.Options`: limits for this run, `scores`, `cancel`, and
    `strict` to raise `DecodeError` at the first flaw in the model's answer; otherwise good items are kept and flaws are
    listed in the value's `issues`. Tasks raise `InputError` for arguments that cannot be used, `ModelFileError` where
    the vocabulary lacks tokens the task needs, and `CapabilityError` where the engine gives no hidden states. A scene
    may be asked from several threads. Use it as a context manager, or close it yourself.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image.
        transform: Source and prepared frame.
        grid: Rows and columns of image tokens.
        focal_px: Focal length in source pixels, where the image's file tells of it; else None.
        path: The image's file; None where it was opened from bytes or pixels.
    """

    def run(self, task: str, *arguments: object, **options: object) -> Result:
        """Run a task by its name: `run("detect", ["car"], zoom=2)` is `detect(["car"], zoom=2)`.

        Raises:
            InputError: There is no such task, or the arguments do not fit it.
        """
        own, run = split_options(Question(task, arguments, options))
        return self.perform(Question(task, arguments, own), run_options(run, self.model.settings))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            if name in TASKS:  # one without a method of its own here
                return partial(self.run, name)
            raise AttributeError(f"a scene has no task and no attribute {name!r}")

    @overload
    def ask(self, question: str, *, stream: Literal[False] = False, **options: Unpack[Options]) -> Text: ...
    @overload
    def ask(self, question: str, *, stream: Literal[True], **options: Unpack[Options]) -> TextStream: ...
    def ask(self, question: str, *, stream: bool = False, **options: Unpack[Options]) -> Text | TextStream:
        """Ask anything; with `stream`, get an iterator over the answer's pieces."""
        return self._stream(question, options) if stream else self._run("ask", question, options=options, expect=Text)

    @overload
    def describe(self, *, stream: Literal[False] = False, **options: Unpack[Options]) -> Text: ...
    @overload
    def describe(self, *, stream: Literal[True], **options: Unpack[Options]) -> TextStream: ...
    def describe(self, *, stream: bool = False, **options: Unpack[Options]) -> Text | TextStream:
        """Describe the image; `stream` as for `ask`."""
        if stream:
            wording = run_options(options, self.model.settings).wording
            return self._stream(wording.describe, options)
        return self._run("describe", options=options, expect=Text)

    @overload
    def reason(self, question: str, *, stream: Literal[False] = False, **options: Unpack[Options]) -> Text: ...
    @overload
    def reason(self, question: str, *, stream: Literal[True], **options: Unpack[Options]) -> TextStream: ...
    def reason(self, question: str, *, stream: bool = False, **options: Unpack[Options]) -> Text | TextStream:
        """Ask anything, to be thought about step by step: the answer is the steps and what they lead to.

        `stream` as for `ask`.
        """
        if stream:
            wording = run_options(options, self.model.settings).wording
            return self._stream(wording.think.format(checked_phrase(question, "the question")), options)
        return self._run("reason", question, options=options, expect=Text)

    def _stream(self, question: str, options: Mapping[str, object]) -> TextStream:
        words = checked_phrase(question, "the question")
        chosen = run_options(options, self.model.settings)
        request = Request(words, chosen.sampling, chosen.cancel, progress=chosen.progress)
        return TextStream(stream_answer(self.session(), request))

    def ocr(self, **options: Unpack[Options]) -> Text:
        """Read the text in the image."""
        return self._run("ocr", options=options, expect=Text)

    def classify(self, **options: Unpack[Options]) -> Text:
        """Name the category of the primary object, in a word or a phrase."""
        return self._run("classify", options=options, expect=Text)

    def count(self, what: str, *, by: CountBy = "answer", **options: Unpack[Options]) -> Count:
        """Count the objects that `what` names, such as "dog".

        By "answer" the model says the number. By "detection" it detects `what`, and its boxes of that name are counted:
        `Count.boxes` shows which, and the score, where scores are wanted, is the mean of theirs.
        """
        return self._run("count", what, by, options=options, expect=Count)

    def ground(self, description: str, *, zoom: Zoom = 1, **options: Unpack[Options]) -> Boxes:
        """Find the region a phrase describes; `zoom` as for `detect`, but one."""
        return self._run("ground", description, zoom, options=options, expect=Boxes)

    def detect(
        self, classes: Sequence[str] | None = None, *, zoom: Zoom | Sequence[Zoom] = 1, **options: Unpack[Options]
    ) -> Boxes:
        """Find every object of `classes`, or of any class when None.

        With `zoom` the image is shown larger, from 1 to 4 times or as large as fits ("auto", or "auto:3" up to 3):
        small things are seen better, and it takes as many times more image tokens as its square. Of several zooms, such
        as `(1, 2)`, the answers are merged: of boxes with one label that overlap by more than 0.7 the largest remains,
        and the largest come first. Boxes are in source pixels whatever the zoom.
        """
        return self._run("detect", classes, zoom, options=options, expect=Boxes)

    def polygon(self, description: str, *, zoom: Zoom = 1, **options: Unpack[Options]) -> Polygons:
        """Outline the object a phrase describes; `zoom` as for `detect`, but one."""
        return self._run("polygon", description, zoom, options=options, expect=Polygons)

    def pose(self, *, zoom: Zoom = 1, **options: Unpack[Options]) -> Poses:
        """Find every person and its 16 joints, in the order of `facts.MPII_JOINTS`; `zoom` as for `detect`, but one."""
        return self._run("pose", zoom, options=options, expect=Poses)

    def refer(
        self,
        phrase: str | None = None,
        *,
        box: Sequence[float] | None = None,
        crop_size: int = CROP_SIZE,
        padding: float = PADDING,
        by: ReferBy = "states",
        refine: Refine = "auto",
        point: Sequence[float] | None = None,
        **options: Unpack[Options],
    ) -> Mask:
        """Mask the object that a phrase describes, the one in a box, or the one at a point.

        A phrase is grounded first. The surroundings of the box are enlarged, the box is drawn on them, and the model
        tells foreground from background there; nothing is generated for that.

        Args:
            phrase: What to mask; exactly one of this, `box` and `point` is given.
            box: Left, top, right, bottom in source pixels.
            crop_size: Short side of the enlarged image; smaller is faster.
            padding: Sides of the surroundings relative to those of the box, at least 1.
            by: "states" of the image tokens, or "polygon" for the inside of the outline that the model draws of the
                phrase in its answer: coarser, but any engine can.
            refine: Pulls the mask's border to the edges of the image, as for `segment`; an outline is not refined.
            point: x and y in source pixels. Everything is detected, once for all points of this scene, and the smallest
                box around the point is taken. Where there is none, the image is segmented, and the mask is the
                part of the class at the point that is connected with it; `Mask.found_by` says which.
            options: As for every task.

        Returns:
            The mask. Its score is the mean over its pixels of sigmoid(foreground - background); 0 where it is empty.
            By polygon it is the confidence of the outline's tokens, None without `scores`; of a class it is None.
        """
        knobs = (crop_size, padding, by, refine, point)
        return self._run("refer", phrase, box, *knobs, options=options, expect=Mask)

    def instances(
        self,
        classes: Sequence[str] | None = None,
        *,
        limit: int = MOST_INSTANCES,
        crop_size: int = CROP_SIZE,
        padding: float = PADDING,
        find: Find = "names",
        refine: Refine = "auto",
        **options: Unpack[Options],
    ) -> Instances:
        """Mask every object of `classes`, or of any class when None, each on its own.

        The objects are detected, boxes of one label that overlap by more than 0.7 taken as one, and the largest are
        masked one after the other as `refer(box=...)` does. Setting `cancel`, or `max_s` that have passed since
        the beginning, ends it between two objects with those there are. Progress is reported as "instances".

        Args:
            classes: Names to find.
            limit: Objects at most; what is left out is an issue.
            crop_size: Short side of the enlarged image of each object; smaller is faster.
            padding: Sides of its surroundings relative to those of its box, at least 1.
            find: How objects are found without `classes`: "names" has the model name the classes that are there and
                detects these, as the reference does; "everything" detects all objects at once.
            refine: As for `refer`.
            options: As for every task. `scores` adds nothing: an instance's score is that of its mask.

        Returns:
            The objects, the largest box first. Where nothing in a box stands out, its mask is empty, its score 0, and
            an issue says so.
        """
        knobs = (limit, crop_size, padding, find, refine)
        return self._run("instances", classes, *knobs, options=options, expect=Instances)

    def segment(
        self,
        classes: Sequence[str] | None = None,
        *,
        present: Present = "model",
        background: bool = False,
        refine: Refine = "auto",
        zoom: Zoom = 1,
        tiles: Sequence[int] = (1, 1),
        **options: Unpack[Options],
    ) -> LabelMap:
        """Label every pixel with one of `classes`, or of those that the model names when None.

        `present="model"` lets the model name which of them are there, as the reference does; `present="all"` scores
        exactly the classes given and generates nothing. With `background`, pixels may belong to none (-1).

        `refine` pulls the borders between classes to the edges of the image: "crf" as the reference does (needs the
        extra `crf`, else CapabilityError), "guided" by a filter of our own, or "none". "auto" takes the CRF where it is
        installed, else the filter; with `background`, which the reference does not refine, it takes none, and naming
        one is an InputError. `LabelMap.refined_by` says what ran.

        `zoom`, from 1 to 4, "auto" for as much as fits, or "auto:3" up to 3, scores the image prepared so much
        larger; `tiles`, columns and rows, looks at it part by part, which lets it be larger still. Each part costs as
        much as an image.
        """
        arguments = (classes, present, background, refine, zoom, tiles)
        return self._run("segment", *arguments, options=options, expect=LabelMap)

    def depth(
        self,
        *,
        scale: Scale = "open",
        focal_px: Focal = None,
        zoom: DepthZoom = 1,
        tiles: Sequence[int] = (1, 1),
        **options: Unpack[Options],
    ) -> DepthMap:
        """Estimate the distance of every pixel.

        `scale` is "open" for any image, or "nyuv2", "cityscapes", "ddad" for those data sets' ranges. Open-world
        depth is in metres where the focal length is known, in source pixels: `focal_px`, or what the image's file tells
        of it; `focal_px="unknown"` disregards that, and "assumed" takes that of a telephone's camera where the file
        tells of none. Otherwise it is relative. `DepthMap.focal_px` says what was used.

        `zoom` and `tiles` are as for `segment`; `zoom="focal"` prepares the image at the size, from 0.25 to 4 times
        its own, where its focal length comes nearest to the one that the model was trained at.
        """
        return self._run("depth", scale, focal_px, zoom, tiles, options=options, expect=DepthMap)

    def click(self, instruction: str, **options: Unpack[Options]) -> Action:
        """Find where to click on a screenshot to do what `instruction` says, such as "open the settings".

        The system text tells the model that it has a mouse and a keyboard, so it reads the image again for the first
        such question. It may name another action, such as "type", and give no point. An answer that cannot be used
        gives an action whose name is "", without a point, and issues that say why. Nothing is clicked.
        """
        return self._run("click", instruction, options=options, expect=Action)

    @overload
    def many(
        self, questions: Iterable[Asked], *, stream: Literal[False] = False, **options: Unpack[Options]
    ) -> tuple[Result, ...]: ...
    @overload
    def many(
        self, questions: Iterable[Asked], *, stream: Literal[True], **options: Unpack[Options]
    ) -> Iterator[Update]: ...
    def many(
        self, questions: Iterable[Asked], *, stream: bool = False, **options: Unpack[Options]
    ) -> tuple[Result, ...] | Iterator[Update]:
        """Ask several things together: their answers are generated side by side, which costs little more than one.

        Args:
            questions: Tuples of a task's name and its arguments, such as `("detect", ["car"])` or `("depth",)`; or
                `Question`s, which have options of their own.
            stream: Give pieces of answers, and results as they finish, instead of all results at the end.
            options: As for every task; a question's own come first.

        Returns:
            The results in the order of the questions; with `stream`, an iterator over updates. An error of one question
            does not stop the others: the first is raised at the end, or comes as an update.

        Raises:
            InputError: A task or option that does not exist, or arguments that do not fit; nothing was asked then.
        """
        updates = answer_together(self, questions, options)
        return updates if stream else gather(updates)

    def decode(self, text: str) -> tuple[Boxes, Polygons]:
        """Return the boxes and the outlines that are written in a text about this image, in source pixels.

        For answers of `ask` and of a `Chat`, whose coordinates are pixels of the prepared image; the tasks do this by
        themselves. Where the text has none, both are empty. What cannot be used is listed in their issues.
        """
        size = self.transform.prepared
        boxes, outlines = parse_boxes(text, size=size), parse_polygons(text, size=size)
        parts = tuple(tuple(self.transform.to_source(ring) for ring in part) for part in outlines.parts)
        return (
            Boxes(
                self.transform.to_source(boxes.xyxy),
                boxes.labels,
                spans=tuple(map(placed_spans, boxes.spans)),
                raw=text,
                issues=boxes.issues,
            ),
            Polygons(
                parts,
                outlines.labels,
                spans=tuple(map(placed_spans, outlines.spans)),
                raw=text,
                issues=outlines.issues,
            ),
        )

    def _run(self, name: str, *arguments: object, options: Mapping[str, object], expect: type[R]) -> R:
        value = self.perform(Question(name, arguments), run_options(options, self.model.settings))
        assert isinstance(value, expect)
        return value

    def perform(self, question: Question, options: RunOptions, answer: AnswerFn | None = None) -> Result:
        """Run a registered task and add to its value what every value carries; `answer` generates in another way."""
        work = TaskRun(self, options, answer)
        task = TASKS[question.task]
        started = time.perf_counter()
        if task.tokens:
            work.require_tokens(task.tokens, question.task)
        value = task.run(work, *question.arguments, **question.options)
        return work.settle(value, time.perf_counter() - started)
