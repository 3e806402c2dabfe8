"""The commands of the tasks, made from their declarations: load, open, ask, then print or write the value."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any

import typer

import youtu_gguf as yg
from youtu_gguf.arguments import checked_path, is_there
from youtu_gguf.cli.common import Command, DepthOptions, Image, TaskOptions, command
from youtu_gguf.cli.progress import Display, shown
from youtu_gguf.cli.results import lines, score_line, warnings
from youtu_gguf.errors import InputError
from youtu_gguf.output import UNKNOWN, WRITERS, Source, asked_label, find_writer, to_json, writers_of
from youtu_gguf.output.camera import with_focal
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.declaration import Argument, Names, Phrase, Switch, Task

_BY_NAME = inspect.Parameter.KEYWORD_ONLY


def task_command(name: str) -> Command:
    """Return the command of a task: IMAGE, its words and options, and the options of every task."""
    task = TASKS[name]

    def run(image: str, options: TaskOptions, **typed: Any) -> None:
        _run(name, image, options, task.read(typed))

    image = inspect.Parameter("image", _BY_NAME, annotation=Image)
    bundle = DepthOptions if task.value is yg.DepthMap else TaskOptions
    options = inspect.Parameter("options", _BY_NAME, annotation=bundle)
    run.__signature__ = inspect.Signature([image, *parameters(task), options])  # type: ignore[attr-defined]
    run.__doc__ = task.help
    return command(run)


def parameters(task: Task) -> list[inspect.Parameter]:
    """Return the arguments of a task as parameters for typer, which passes them on as texts."""
    words = [] if task.words is None else [task.words]
    return [_parameter(argument) for argument in (*words, *task.options)]


def _parameter(argument: Argument) -> inspect.Parameter:
    declared = argument.declared
    kind: Any
    default: object = None
    if isinstance(declared, Phrase | Names):
        kind = list[str] if argument.is_required else list[str] | None
        default = inspect.Parameter.empty if argument.is_required else None
        typed: Any = typer.Argument(metavar=declared.metavar, help=declared.help)
    elif isinstance(declared, Switch):
        kind, default = bool, False
        typed = typer.Option(argument.flag, help=declared.help, show_default=False)
    else:
        texts: Any = str if declared.n_texts == 1 else GenericAlias(tuple, (str,) * declared.n_texts)
        kind = texts | None
        known = "" if argument.default is None else f" [default: {_typed(argument.default)}]"
        typed = typer.Option(argument.flag, metavar=declared.metavar, help=declared.help + known)
    return inspect.Parameter(argument.name, _BY_NAME, default=default, annotation=Annotated[kind, typed])


def _typed(value: object) -> str:
    """Return a default value as a user would type it."""
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value}"


def _run(name: str, image: str, options: TaskOptions, arguments: dict[str, object]) -> None:
    _check_files(name, image, options, TASKS[name].is_in_words(arguments))
    streams = sys.stdout.isatty() and not (options.json or options.strict)
    with shown(not options.quiet) as display, options.load(display.report) as model:
        scene = model.open(image)
        result = ask(scene, yg.Question(name, (), {**arguments, **options.of_run()}), display, stream=streams)
        context: dict[str, Any] = {"task": name, "image": name_in_json(image), "arguments": arguments}
        if options.output:
            name_of, label = Path(context["image"]).name, asked_label(arguments)
            source = Source(scene.rgb, context, name_of, label=label, focal_px=scene.focal_px, focal_from="exif")
            find_writer(options.output)(options.output, result, _with_camera(source, options))
    if options.npz:
        WRITERS["npz"](options.npz, result)
    if options.json:
        print(json.dumps(to_json(result, **context), ensure_ascii=False))
    elif not (streams and isinstance(result, yg.Text)):
        for line in lines(result):
            print(line)
    if not options.quiet:
        for warning in warnings(result, rest="--json lists all of them"):
            print(warning, file=sys.stderr)


def _with_camera(source: Source, options: TaskOptions) -> Source:
    """Return a source with the focal length that was typed."""
    return with_focal(source, options.camera_px if isinstance(options, DepthOptions) else None)


def ask(scene: yg.Scene, question: yg.Question, display: Display, *, stream: bool, **options: Any) -> yg.Result:
    """Ask one question. If the answer is text and `stream` is set, print its words as they arrive, then its score.

    Raises:
        YoutuError: The answer failed; the words that arrived before are printed.
    """
    if not stream or TASKS[question.task].value is not yg.Text:
        return scene.run(question.task, *question.arguments, **{**question.options, **options})
    ends: list[yg.Update] = []

    def pieces() -> Iterator[str]:
        for update in scene.many([question], stream=True, **options):
            ends.append(update)
            yield update.text

    print_pieces(pieces(), display)
    update = ends[-1]
    if update.result is None:
        assert update.error is not None
        raise update.error
    for line in score_line(update.result):
        print(line)
    return update.result


def print_pieces(pieces: Iterable[str], display: Display) -> None:
    """Print the pieces of an answer as they arrive, and a line break after them."""
    came = False
    try:
        for piece in pieces:
            if piece:
                display.clear()
                print(piece, end="", flush=True)
                came = True
    finally:
        display.clear()
        if came:
            print()


def name_in_json(image: str) -> str:
    """Return an image's path as valid UTF-8 for JSON; a file name need not be."""
    return os.fsencode(image).decode("utf-8", "replace")


def check_image(image: str) -> None:
    """Refuse a missing image before minutes are spent on loading the model.

    Raises:
        InputError: The file does not exist.
    """
    if not is_there(checked_path("image", image)):
        raise InputError(f"expected an image file; {image} does not exist. Check the path.")


def _check_files(name: str, image: str, options: TaskOptions, is_in_words: bool) -> None:
    """Refuse paths that cannot work before minutes are spent on the model and the answer."""
    check_image(image)
    _with_camera(UNKNOWN, options)
    if options.output:
        _check_suffix(name, options.output, is_in_words)
    if options.npz and is_in_words:
        raise InputError(
            f"{name} gives text; an .npz file holds arrays. Use --output answer.txt or --json instead of --npz."
        )
    if options.npz and options.npz.suffix.lower() != ".npz":
        raise InputError(f"an .npz file holds arrays; got --npz {options.npz}. Use the suffix .npz.")
    if options.output and is_there(options.output) and options.output.samefile(image):
        raise InputError(f"the result would be written over the image itself, {image}. Name another file.")
    for path in (options.output, options.npz):
        if path and not (is_there(path.parent) and path.parent.is_dir()):
            raise InputError(f"expected a folder to write {path} to; {path.parent} does not exist. Create it first.")


def _check_suffix(name: str, path: Path, is_in_words: bool) -> None:
    """Refuse a file of a format that the task's value has no form in."""
    written = [writer.suffix for writer in writers_of(yg.Text if is_in_words else TASKS[name].value)]
    suffixes = [writer.suffix for writer in WRITERS.values()]
    ends = [suffix for suffix in suffixes if path.name.lower().endswith(suffix)]
    if max(ends, key=len, default="") not in written:
        raise InputError(f"{name} writes {', '.join(written)}; got --output {path}. Use one of these suffixes.")
