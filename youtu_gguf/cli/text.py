"""Commands that answer in words."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.progress import Display
from youtu_gguf.cli.report import cut_short
from youtu_gguf.cli.task import opened, run_task
from youtu_gguf.scene.stream import TextStream

By = Literal["answer", "detection"]


def describe(image: Image, options: TaskOptions) -> None:
    """Describe the image."""
    if _wants_stream(options):
        with opened("describe", image, options) as (scene, display):
            _print_pieces(scene.describe(stream=True, **options.of_run()), display, options)
    else:
        run_task("describe", image, options, lambda scene: scene.describe(**options.of_run()))


def ask(
    image: Image,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    options: TaskOptions,
) -> None:
    """Ask anything about the image."""
    if _wants_stream(options):
        with opened("ask", image, options) as (scene, display):
            _print_pieces(scene.ask(question, stream=True, **options.of_run()), display, options)
    else:
        run_task("ask", image, options, lambda scene: scene.ask(question, **options.of_run()), question=question)


def reason(
    image: Image,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to think about.")],
    options: TaskOptions,
) -> None:
    """Ask anything about the image, to be answered step by step."""
    if _wants_stream(options):
        with opened("reason", image, options) as (scene, display):
            _print_pieces(scene.reason(question, stream=True, **options.of_run()), display, options)
    else:
        run_task("reason", image, options, lambda scene: scene.reason(question, **options.of_run()), question=question)


def ocr(image: Image, options: TaskOptions) -> None:
    """Read the text in the image."""
    run_task("ocr", image, options, lambda scene: scene.ocr(**options.of_run()))


def classify(image: Image, options: TaskOptions) -> None:
    """Name the category of the primary object."""
    run_task("classify", image, options, lambda scene: scene.classify(**options.of_run()))


def count(
    image: Image,
    what: Annotated[str, typer.Argument(metavar="WHAT", help='What to count, such as "dog".')],
    by: Annotated[
        By, typer.Option(help="Ask for the number, or detect the things and count their boxes, to be seen with -o.")
    ] = "answer",
    *,
    options: TaskOptions,
) -> None:
    """Count the objects of some kind; prints a number."""
    run_task(
        "count",
        image,
        options,
        lambda scene: scene.count(what, by=by, **options.of_run()),
        drawn=by == "detection",
        query=what,
        by=by,
    )


def _print_pieces(pieces: TextStream, display: Display, options: TaskOptions) -> None:
    for piece in pieces:
        display.clear()
        print(piece, end="", flush=True)
    print()
    if not options.quiet:
        for warning in cut_short(pieces.finish):
            print(warning, file=sys.stderr)


def _wants_stream(options: TaskOptions) -> bool:
    """Whether a person watches the answer appear: nothing else is to be done with it, and stdout is a terminal."""
    return sys.stdout.isatty() and not (options.json or options.output or options.strict or options.scores)
