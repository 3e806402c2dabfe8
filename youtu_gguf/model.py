"""The public objects: `load()` gives a model, `Model.open` a scene, and a scene answers tasks with values."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from youtu_gguf import image as images
from youtu_gguf import prompts
from youtu_gguf.config import Settings, default_model, make_settings
from youtu_gguf.decode.calibration import DEFAULT, Calibration
from youtu_gguf.decode.strictness import require
from youtu_gguf.engines.base import (
    Answer,
    Engine,
    PatchStates,
    Prefix,
    PrefixCost,
    Session,
    Vocabulary,
    collect,
)
from youtu_gguf.errors import CapabilityError, InputError, ModelFileError
from youtu_gguf.streaming import TextStream
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.base import find_tokens, phrase
from youtu_gguf.types import (
    U8,
    Boxes,
    DepthMap,
    Grid,
    Issue,
    LabelMap,
    Polygons,
    ProgressFn,
    Result,
    Size,
    Text,
    Timings,
    Transform,
    no_progress,
)

if TYPE_CHECKING:
    import threading
    from os import PathLike
    from types import TracebackType

    from youtu_gguf.image import ImageLike

R = TypeVar("R", bound=Result)


def load(
    model: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    engine: str | Engine = "native",
    progress: ProgressFn | None = None,
    **settings: Any,
) -> Model:
    """Load a model pair.

    Args:
        model: Path of the language model's GGUF, or of a folder that holds the pair; None takes the one named by the
            environment variable `YOUTU_GGUF_MODEL`.
        mmproj: Path of the projector's GGUF; found beside the model when None.
        engine: "native" runs llama.cpp in this process. An `Engine` of your own is used as it is; `model` and
            `mmproj` are then not looked at.
        progress: Called with (stage, done, total) while loading, encoding, prefilling and generating.
        settings: Fields of `youtu_gguf.config.Settings` and `youtu_gguf.engines.base.Sampling` by name, such as
            `n_ctx`, `threads`, `n_gpu_layers`, `image_max_tokens`, `max_tokens`.

    Raises:
        ModelFileError: A file is missing, broken, or not one of the pair.
        EngineError: llama.cpp cannot load it.
        InputError: An unknown engine or setting.
    """
    chosen = make_settings(**settings)
    if not isinstance(engine, str):
        return Model(engine, chosen)
    if engine != "native":
        raise InputError(f'engine must be "native" or an Engine object; got {engine!r}.')
    return Model(_load_native(model, mmproj, chosen, progress), chosen)


def _load_native(
    model: str | PathLike[str] | None,
    mmproj: str | PathLike[str] | None,
    settings: Settings,
    progress: ProgressFn | None,
) -> Engine:
    from youtu_gguf.files.pair import check_pair, find_model

    wanted = model or default_model()
    if wanted is None:
        raise ModelFileError(
            "no model was named. Pass the path of a Youtu-VL GGUF, or set YOUTU_GGUF_MODEL; "
            "`youtu-gguf synth DIR` writes a random stand-in."
        )
    model_path = Path(wanted)
    if not model_path.exists():
        raise ModelFileError(
            f"expected a GGUF file or a folder that holds a pair; {model_path} does not exist. Check the path. "
            "Names of repositories are not resolved yet: download the two files first."
        )
    if model_path.is_dir():
        model_path = find_model(model_path)
    pair = check_pair(model_path, Path(mmproj) if mmproj else None)
    from youtu_gguf.engines.native import NativeEngine

    return NativeEngine(pair, settings, progress or no_progress)


class Model:
    """A loaded model. Use it as a context manager, or close it yourself. One thread at a time.

    Attributes:
        engine: What runs the network.
        calibration: What is assumed about the weights that nobody has published.
    """

    def __init__(self, engine: Engine, settings: Settings, calibration: Calibration = DEFAULT) -> None:
        self.engine = engine
        self.settings = settings
        self.calibration = calibration

    def open(self, image: ImageLike) -> Scene:
        """Decode an image and get ready to ask about it; encoding waits for the first question.

        Args:
            image: A path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array.

        Raises:
            InputError: The image cannot be used, or does not fit into the context.
        """
        return Scene(self, images.load(image))

    def close(self) -> None:
        """Free the model and every scene of it."""
        self.engine.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        words = phrase(question, "the question")
        return TextStream(self.session().generate(words, self._model.settings.sampling, cancel))

    def ground(self, description: str, *, strict: bool = False) -> Boxes:
        """Find the region a phrase describes."""
        return self._run("ground", description, strict=strict, expect=Boxes)

    def detect(self, classes: Sequence[str] | None = None, *, strict: bool = False) -> Boxes:
        """Find every object of `classes`, or of any class when None."""
        return self._run("detect", classes, strict=strict, expect=Boxes)

    def polygon(self, description: str, *, strict: bool = False) -> Polygons:
        """Outline the object a phrase describes."""
        return self._run("polygon", description, strict=strict, expect=Polygons)

    def segment(
        self,
        classes: Sequence[str],
        *,
        present: Literal["model", "all"] = "model",
        background: bool = False,
        refine: Literal["auto", "none"] = "auto",
        strict: bool = False,
    ) -> LabelMap:
        """Label every pixel with one of `classes`.

        `present="model"` lets the model name which of them are there, as the reference does; `present="all"` scores
        exactly the classes given and generates nothing. With `background`, pixels may belong to none (-1). `refine` has
        no method yet: "auto" and "none" both leave the scores as they are.
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
        work = _Work(self)
        task = TASKS[name]
        started = time.perf_counter()
        if task.tokens:
            work.require_tokens(task.tokens, name)
        value = cast("R", task.run(work, *arguments))
        assert isinstance(value, expect)
        return work.settle(value, time.perf_counter() - started, strict=strict)


class _Work:
    """One run of one task: what it asked, and what that cost. Implements `tasks.base.View`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._answers: list[Answer] = []
        self._cost_before = self._cost()

    @property
    def transform(self) -> Transform:
        return self._scene.transform

    @property
    def calibration(self) -> Calibration:
        return self._scene.model.calibration

    @property
    def vocabulary(self) -> Vocabulary:
        return self._scene.model.engine.vocabulary

    def answer(self, question: str) -> Answer:
        before, started = self._cost(), time.perf_counter()
        answer = collect(self._scene.session().generate(question, self._scene.model.settings.sampling))
        after = self._cost()
        prefix_s = after.encode_s + after.prefill_s - before.encode_s - before.prefill_s
        self._answers.append(replace(answer, seconds=time.perf_counter() - started - prefix_s))
        return answer

    def patches(self, before: str = "") -> PatchStates:
        return self._scene.session(before).patches()

    def require_tokens(self, tokens: Sequence[str], task: str) -> None:
        try:
            vocabulary = self.vocabulary
        except CapabilityError:  # a remote model: nobody can look, and its answer will show
            return
        find_tokens(vocabulary, tokens, task)

    def settle(self, value: R, seconds: float, *, strict: bool) -> R:
        issues = (*value.issues, *self._cut_short())
        require(issues, strict=strict)
        last = self._answers[-1] if self._answers else Answer("", "none", 0)
        return replace(value, raw=last.text, finish=last.finish, issues=issues, timings=self._timings(seconds))

    def _cut_short(self) -> tuple[Issue, ...]:
        cut = [answer for answer in self._answers if answer.finish == "length"]
        message = "the answer was cut off at the token limit; raise max_tokens or n_ctx for the rest"
        return tuple(Issue(message, len(answer.text), len(answer.text)) for answer in cut)

    def _timings(self, seconds: float) -> Timings:
        now = self._cost()
        encode_s = now.encode_s - self._cost_before.encode_s
        prefill_s = now.prefill_s - self._cost_before.prefill_s
        generate_s = sum(answer.seconds for answer in self._answers)
        return Timings(
            encode_s=encode_s,
            prefill_s=prefill_s,
            generate_s=generate_s,
            decode_s=max(0.0, seconds - encode_s - prefill_s - generate_s),
            n_image_tokens=self._scene.grid.n_tokens,
            n_generated=sum(answer.n_tokens for answer in self._answers),
        )

    def _cost(self) -> PrefixCost:
        costs = [session.cost for session in self._scene.sessions()]
        return PrefixCost(sum(c.encode_s for c in costs), sum(c.prefill_s for c in costs))
