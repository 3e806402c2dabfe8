"""A conversation: questions that follow each other, about images or about none."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, Self, Unpack, overload, runtime_checkable

from youtu_gguf.decode.scores import answer_score
from youtu_gguf.engines.base import Answer, Collector, Piece, Request, Session, stream_answer
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import DecodeError, EngineError, InputError, YoutuError
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.forks import forkable_lock
from youtu_gguf.images.load import load, prepare
from youtu_gguf.scene.options import Options, RunOptions, run_options
from youtu_gguf.scene.run import CUT_SHORT
from youtu_gguf.scene.stream import TextStream
from youtu_gguf.tasks.base import phrase
from youtu_gguf.types import Issue, Part, PreparedImage, Text, Timings, Turn

if TYPE_CHECKING:
    from types import TracebackType

    from youtu_gguf.images.load import ImageLike
    from youtu_gguf.scene.opened import Host


@runtime_checkable
class Shown(Protocol):
    """What holds an image as the model sees it: a scene."""

    @property
    def prepared(self) -> PreparedImage:
        """The image."""
        ...


class Chat:
    """A conversation. The model reads each question after all turns before it, and each turn costs its own tokens only.

    `Scene.chat` begins one about its image, `Model.chat` one about several images or none. A turn is kept when its
    answer has ended, by itself or at a limit. One that fails, is cancelled, or whose stream is closed early leaves the
    conversation as it was before. Coordinates in an answer are pixels of the prepared image; the tasks of a scene give
    those of the source image. Several threads may use a conversation, one after the other. Use it as a context manager,
    or close it yourself.

    ```python
    with scene.chat() as chat:
        print(chat.ask("Who is in the picture?"))
        print(chat.ask("What are they doing?"))
    ```
    """

    def __init__(self, model: Host, images: Sequence[PreparedImage] = (), system: str = DEFAULT_SYSTEM) -> None:
        self._model = model
        self._system = phrase(system, "the system text")
        self._attached: tuple[Part, ...] = tuple(images)
        self._turns: tuple[Turn, ...] = ()
        self._last: Text | None = None
        self._session: Session | None = None
        self._answering = forkable_lock(self, "_answering")
        self._closed = False
        self._open()

    @property
    def system(self) -> str:
        """The system text."""
        return self._system

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns so far, the first one first."""
        return self._turns

    @property
    def last(self) -> Text | None:
        """The last answer as a value, a streamed one too, and also if its turn was not kept; None before the first."""
        return self._last

    @overload
    def ask(self, question: str, *, stream: Literal[False] = False, **options: Unpack[Options]) -> Text: ...
    @overload
    def ask(self, question: str, *, stream: Literal[True], **options: Unpack[Options]) -> TextStream: ...
    def ask(self, question: str, *, stream: bool = False, **options: Unpack[Options]) -> Text | TextStream:
        """Ask the next question; with `stream`, get an iterator over the answer's pieces.

        Args:
            question: What to say to the model.
            stream: Return pieces of the answer as they are generated. The turn begins when the first one is read, and
                is kept when the last one has been read.
            options: As for every task.

        Raises:
            InputError: The conversation does not fit into the context, or another answer of it is being generated.
            EngineError: The conversation, its scene or its model is closed.
            DecodeError: With `strict`, the answer was cut short.
        """
        words = phrase(question, "the question")
        chosen = run_options(options, self._model.settings)
        return TextStream(self._pieces(words, chosen)) if stream else self._answer(words, chosen)

    def attach(self, *images: ImageLike | Shown) -> None:
        """Show further images with the next question, before its words.

        Args:
            images: What `Model.open` takes, or scenes: theirs are used as they were prepared, at their zoom.

        Raises:
            InputError: An image cannot be used, or the conversation does not fit into the context with it; the
                conversation is then unchanged.
        """
        with self._turn():
            self._attach([self._prepare(image) for image in images])

    def attach_text(self, text: str) -> None:
        """Say something before the next image or question, such as "Image 1:" before an image is attached.

        Args:
            text: What to say, unmodified. What follows it directly, an image or the question's words, does so without a
                blank or a line break in between.

        Raises:
            InputError: It is no text, or the conversation does not fit into the context with it; the conversation is
                then unchanged.
        """
        phrase(text, "the text")
        with self._turn():
            self._attach([str(text)])

    def _prepare(self, image: ImageLike | Shown) -> PreparedImage:
        if isinstance(image, Shown):
            return image.prepared
        return prepare(load(image), self._model.engine.image_max_tokens)[0]

    def _attach(self, parts: Sequence[Part]) -> None:
        before = self._attached
        self._attached = (*before, *parts)
        self._forget_session()
        try:
            self._open()
        except YoutuError:
            self._attached = before
            raise

    def add(self, question: str, answer: str) -> None:
        """Add a turn that was answered elsewhere, such as an earlier one of a client, or an example to follow.

        The images and texts attached so far belong to it. Nothing is computed before the next question.
        """
        with self._turn():
            self._keep(phrase(question, "the question"), phrase(answer, "the answer"))

    def _keep_answer(self, question: str, answer: Text) -> None:
        """Keep a turn, unless it was cancelled, or its time was up before a word was said."""
        if answer.finish == "stop" or (answer.finish != "cancelled" and answer.raw):
            self._keep(question, answer.raw)

    def _keep(self, question: str, answer: str) -> None:
        self._turns = (*self._turns, Turn((*self._attached, question), answer))
        self._attached = ()
        self._forget_session()

    def _answer(self, question: str, options: RunOptions) -> Text:
        pieces = self._pieces(question, options)
        while True:
            try:
                next(pieces)
            except StopIteration as end:
                text: Text = end.value
                return text

    def _pieces(self, question: str, options: RunOptions) -> Generator[Piece, None, Text]:
        """Yield the pieces of an answer; the turn is kept before the last one. Return the answer as a value."""
        with self._turn():
            session, collector = self._open(), Collector()
            started = time.perf_counter()
            request = Request(question, options.sampling, options.cancel, continues=True, progress=options.progress)
            for piece in stream_answer(session, request):
                if collector.add(piece):
                    seconds = time.perf_counter() - started
                    text = self._last = _text(collector.answer(), options, seconds, session.prefix)
                    self._keep_answer(question, text)
                yield piece
            return text

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep other turns out.

        Raises:
            InputError: One is in progress.
            EngineError: The conversation is closed.
        """
        if not self._answering.acquire(blocking=False):
            raise InputError(
                "a conversation answers one question at a time; the answer to another one is being generated. Read its "
                "stream to the end or close it, or begin another conversation."
            )
        try:
            if self._closed:
                raise EngineError("this conversation is closed. Begin another one.")
            yield
        finally:
            self._answering.release()

    def _open(self) -> Session:
        """Return the session of the next question."""
        if self._session is None:
            prefix = Prefix(*self._attached, system=self._system, turns=self._turns)
            self._session = self._model.engine.open(prefix)
        return self._session

    def _forget_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def close(self) -> None:
        """Release what the engine keeps for this conversation. Safe to call twice."""
        self._closed = True
        self._forget_session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        n_images = len(Prefix(*self._attached, turns=self._turns).images)
        closed = ", closed" if self._closed else ""
        return f"{type(self).__name__}({_count(n_images, 'image')}, {_count(len(self._turns), 'turn')}{closed})"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _text(answer: Answer, options: RunOptions, seconds: float, prefix: Prefix) -> Text:
    """Return the answer as a value.

    Raises:
        DecodeError: The run is strict, and the answer was cut short.
    """
    cut_short = CUT_SHORT.get(answer.finish)
    if cut_short is not None and options.strict:
        raise DecodeError(f"expected a whole answer; {cut_short}. Ask with strict=False to keep what there is.")
    end, prompt = len(answer.text), answer.prompt
    return Text(
        answer.text.strip(),
        answer_score(answer),
        raw=answer.text,
        finish=answer.finish,
        issues=() if cut_short is None else (Issue(cut_short, end, end),),
        timings=Timings(
            encode_s=prompt.encode_s,
            prefill_s=prompt.prefill_s,
            generate_s=max(0.0, seconds - prompt.seconds),
            n_image_tokens=sum(image.grid.n_tokens for image in prefix.images),
            n_generated=answer.n_tokens,
            n_prompt=prompt.n_tokens,
            n_cached=prompt.n_cached,
            wait_s=prompt.wait_s,
        ),
    )
