"""Commands that give every pixel a value: label maps and depth."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.task import run_task

Present = Literal["model", "all"]
Refine = Literal["auto", "crf", "guided", "none"]
Scale = Literal["open", "nyuv2", "cityscapes", "ddad"]


def segment(
    image: Image,
    classes: Annotated[list[str], typer.Argument(metavar="CLASS", help="Classes to tell apart.")],
    present: Annotated[
        Present, typer.Option(help="Which classes are there: the model says, or all of those given (faster).")
    ] = "model",
    background: Annotated[bool, typer.Option("--background", help="Pixels may belong to no class.")] = False,
    refine: Annotated[
        Refine,
        typer.Option(
            help="How borders are pulled to the picture's edges. auto: by the CRF where it is installed, else by the "
            "guided filter; not with --background."
        ),
    ] = "auto",
    *,
    options: TaskOptions,
) -> None:
    """Label every pixel with one of some classes."""
    run_task(
        "segment",
        image,
        options,
        lambda scene: scene.segment(classes, present=present, background=background, refine=refine, **options.of_run()),
        query=classes,
    )


def depth(
    image: Image,
    scale: Annotated[
        Scale, typer.Option(help="open: any picture; the others: that data set's range, in metres.")
    ] = "open",
    focal_px: Annotated[
        float | None, typer.Option("--focal-px", help="Focal length in pixels; makes open-world depth metric.")
    ] = None,
    *,
    options: TaskOptions,
) -> None:
    """Estimate the distance of every pixel."""
    run_task(
        "depth",
        image,
        options,
        lambda scene: scene.depth(scale=scale, focal_px=focal_px, **options.of_run()),
        scale=scale,
    )
