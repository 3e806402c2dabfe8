"""Commands that find things: boxes and outlines."""

from __future__ import annotations

from typing import Annotated

import typer

from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.task import run_task

Phrase = Annotated[str, typer.Argument(metavar="PHRASE", help='What to look for, such as "the left cup".')]


def ground(image: Image, phrase: Phrase, options: TaskOptions) -> None:
    """Find the box of what a phrase describes."""
    run_task("ground", image, options, lambda scene: scene.ground(phrase, strict=options.strict), query=phrase)


def detect(
    image: Image,
    classes: Annotated[
        list[str] | None, typer.Argument(metavar="CLASS", help="Classes to find; none for everything.")
    ] = None,
    *,
    options: TaskOptions,
) -> None:
    """Find all objects of some classes, or of any."""
    wanted = classes or None
    run_task("detect", image, options, lambda scene: scene.detect(wanted, strict=options.strict), query=wanted)


def polygon(image: Image, phrase: Phrase, options: TaskOptions) -> None:
    """Outline what a phrase describes."""
    run_task("polygon", image, options, lambda scene: scene.polygon(phrase, strict=options.strict), query=phrase)
