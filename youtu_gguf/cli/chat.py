"""The command for a chat about an image: questions in plain words, and every task by its name behind a slash."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import youtu_gguf as yg
from youtu_gguf.arguments import is_there
from youtu_gguf.cli.chat_commands import ALONE, REMEMBERED, hint_about, run_command
from youtu_gguf.cli.common import Image, ModelOptions
from youtu_gguf.cli.interrupts import handled
from youtu_gguf.cli.lines import Line
from youtu_gguf.cli.progress import Displays
from youtu_gguf.cli.results import lines, score_line, warnings
from youtu_gguf.cli.tasks import ask, check_image, name_in_json, print_pieces
from youtu_gguf.errors import InputError, YoutuError
from youtu_gguf.output import Source, Writer, asked_label, find_writer
from youtu_gguf.tasks import TASKS
from youtu_gguf.types import in_words

PROMPT = "> "
BEGIN = "Type a question, or /help for tasks and commands, or /quit."


def chat(
    image: Image,
    options: ModelOptions,
    *,
    memory: Annotated[
        bool, typer.Option("--memory", help="Remember earlier questions and answers, except those of tasks.")
    ] = False,
) -> None:
    """Ask about an image, line by line.

    Type a question, or a task such as "/detect car person"; /help lists the tasks. Each question stands alone: the
    model sees the image and that line, and none of the lines before. With --memory, questions in plain words and their
    answers are remembered.

    Lines may also come from a file or a pipe. The exit code is then that of the last line that failed, or 0 if none
    did; at a terminal it is always 0.
    """
    check_image(image)
    interactive = sys.stdin.isatty()
    displays = Displays(not options.quiet)
    with displays.shown():
        model = options.load(displays.report)
    with model:
        talk = Conversation(model, image, displays, interactive=interactive, quiet=options.quiet, remembers=memory)
        code = talk.run(stdin_lines(interactive))
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class Kept:
    """A result that can be saved, and where it comes from."""

    result: yg.Result
    source: Source


class Conversation:
    """A chat about one image at a time.

    Args:
        model: Answers the questions.
        image: Path of the first image.
        displays: Show progress.
        interactive: Whether a person types the lines; Ctrl-C then ends only the answer.
        quiet: Write only errors to stderr.
        remembers: Whether questions in plain words follow those before.

    Attributes:
        scene: The current image.
        over: Set this to end the chat.

    Raises:
        InputError: The image cannot be used.
    """

    def __init__(
        self,
        model: yg.Model,
        image: str,
        displays: Displays,
        *,
        interactive: bool,
        quiet: bool = False,
        remembers: bool = False,
    ) -> None:
        self._model = model
        self._image = Path(image)
        self._displays = displays
        self._interactive = interactive
        self._quiet = quiet
        self._last: Kept | None = None
        self._last_words: Kept | None = None
        self._last_drawable: Kept | None = None
        self.remembers = remembers
        self.scene = model.open(self._image)
        self._chat = self.scene.chat()
        self.over = False

    def run(self, typed: Iterable[str]) -> int:
        """Answer the lines until they end or one of them is /quit; return the exit code."""
        code = 0
        if self._interactive:
            self._remark(f"{self._portrait()}. {BEGIN}\n{REMEMBERED if self.remembers else ALONE}")
        for line in typed:
            try:
                self._answer(line.strip())
            except YoutuError as exc:
                print(f"error: {exc}", file=sys.stderr)
                code = exc.exit_code
            except KeyboardInterrupt:
                if not self._interactive:
                    raise
                handled()
                print("interrupted", file=sys.stderr)
            sys.stdout.flush()
            if self.over:
                break
        return 0 if self._interactive else code

    def _answer(self, line: str) -> None:
        if line.startswith("/"):
            run_command(self, line[1:])
        elif line:
            if self._interactive and (hint := hint_about(line)):
                self._remark(f"hint: {hint}")
            self._say(line) if self.remembers else self.ask(Line("ask", {"question": line}, {}))

    def ask(self, line: Line) -> None:
        """Ask one question, print the answer, its words as they arrive, and keep it. Ctrl-C ends the answer."""
        is_text = TASKS[line.task].value is yg.Text
        with self._displays.shown() as display, self._until_interrupted() as cancel:
            result = ask(self.scene, line.question, display, stream=is_text, cancel=cancel)
        self._show(result, line, is_text=is_text)

    def _say(self, question: str) -> None:
        """Ask the next question of the conversation; print and keep the answer as `ask` does."""
        with self._displays.shown() as display, self._until_interrupted() as cancel:
            with self._chat.ask(question, stream=True, cancel=cancel) as pieces:
                print_pieces(pieces, display)
            result = self._chat.last
        assert result is not None
        for printed in score_line(result):
            print(printed)
        self._show(result, Line("ask", {"question": question}, {}), is_text=True)

    def forget(self) -> None:
        """Begin the conversation anew.

        Raises:
            InputError: Nothing is remembered.
        """
        if not self.remembers:
            raise InputError("there is nothing to forget: each question stands alone. Start the chat with --memory.")
        self._chat.close()
        self._chat = self.scene.chat()

    def _show(self, result: yg.Result, line: Line, *, is_text: bool) -> None:
        """Keep a result and print what has not been printed of it."""
        self._keep(result, line.task, {"arguments": line.arguments})
        if is_text and result.finish == "cancelled":
            print("interrupted", file=sys.stderr)
            return
        for printed in () if is_text else lines(result):
            print(printed)
        if is_text and not result.raw:
            self._remark("warning: the answer is empty")
        for warning in warnings(result, rest="/save answer.json writes all of them"):
            self._remark(warning)

    def _keep(self, result: yg.Result, task: str, context: dict[str, Any]) -> None:
        image = name_in_json(str(self._image))
        told = {"task": task, "image": image, **context}
        label = asked_label(context.get("arguments", {}))
        focal_px = self.scene.focal_px
        source = Source(self.scene.rgb, told, Path(image).name, label=label, focal_px=focal_px, focal_from="exif")
        self._last = Kept(result, source)
        if isinstance(result, yg.Text | yg.Count):
            self._last_words = self._last
        if not in_words(result):
            self._last_drawable = self._last

    @contextmanager
    def _until_interrupted(self) -> Iterator[threading.Event]:
        """Yield an event that the first Ctrl-C sets; the second Ctrl-C interrupts everything."""
        cancel = threading.Event()
        if not self._interactive:  # Ctrl-C ends the command
            yield cancel
            return

        def stop(_signal: int, _frame: object) -> None:
            if cancel.is_set():
                raise KeyboardInterrupt
            cancel.set()

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield cancel
        finally:
            signal.signal(signal.SIGINT, before)

    def open(self, path: Path) -> None:
        """Change to the image at `path`. The last result can still be saved.

        Raises:
            InputError: The image cannot be used; the chat stays with the one before.
        """
        scene = self._model.open(path)
        self.scene.close()
        self.scene, self._image, self._chat = scene, path, scene.chat()
        self._remark(self._portrait())

    def save(self, path: Path) -> None:
        """Write the last result that has the form which the suffix of `path` names.

        Raises:
            InputError: No result has that form, or the file cannot be written.
        """
        if is_there(path) and is_there(self._image) and path.samefile(self._image):
            raise InputError(f"{path} is the image itself. Name another file.")
        writer = find_writer(path)
        kept = self._kept_for(writer)
        writer(path, kept.result, kept.source)
        self._remark(f"wrote {path}: {kept.source.context['task']} of {kept.source.context['image']}")

    def _kept_for(self, writer: Writer) -> Kept:
        """Return the last result that has a form in the writer's format."""
        match writer.name:
            case "txt":
                return _required(self._last_words, "words", "/describe")
            case "json" | "csv":
                return _required(self._last, "an answer", "/describe")
            case "png":
                return _required(self._last_drawable, "a drawing", "/depth")
        return _required(self._last_drawable, "arrays", "/depth")

    def _portrait(self) -> str:
        return f"{self._image}, {self.scene.size.width}x{self.scene.size.height} pixels"

    def _remark(self, text: str) -> None:
        if not self._quiet:
            print(text, file=sys.stderr)


def _required(kept: Kept | None, what: str, example: str) -> Kept:
    if kept is None:
        raise InputError(
            f"expected {what} to save; no answer has given any yet. Ask for it first, for example with {example}."
        )
    return kept


def stdin_lines(interactive: bool) -> Iterator[str]:
    """Yield the lines of stdin. Bytes that are not Unicode become an error of their line, not of the command."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding=None if interactive else "utf-8-sig", errors="surrogateescape")
    return _typed() if interactive else iter(sys.stdin)


def _typed() -> Iterator[str]:
    """Yield the lines typed at a terminal, with history and arrow keys if Python has readline; Ctrl-C ends them."""
    with suppress(ImportError):  # Windows has none; its terminal edits lines itself
        import readline  # noqa: F401 - input() uses it once it is imported

    while True:
        try:
            if sys.stdout.isatty():
                line = input(PROMPT)
            else:  # input() would write the prompt to stdout, among the results
                print(PROMPT, end="", file=sys.stderr, flush=True)
                line = input()
        except (EOFError, KeyboardInterrupt):
            handled()
            print(file=sys.stderr)
            return
        yield line
