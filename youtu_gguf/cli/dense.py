"""Commands that give every pixel a value: label maps and depth."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.task import run_task
from youtu_gguf.cli.zooming import OneZoom, TilesOption, one_zoom, tiles_of
from youtu_gguf.errors import InputError
from youtu_gguf.images.zoom import Zoom

Present = Literal["model", "all"]
Refine = Literal["auto", "crf", "guided", "none"]
Scale = Literal["open", "nyuv2", "cityscapes", "ddad"]


def segment(
    image: Image,
    classes: Annotated[
        list[str] | None,
        typer.Argument(metavar="CLASS", help="Classes to tell apart; none for all that the model names."),
    ] = None,
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
    zoom: OneZoom = "1",
    tiles: TilesOption = "1x1",
    *,
    options: TaskOptions,
) -> None:
    """Label every pixel with one of some classes, or of those that the model names."""
    wanted, factor, cut = classes or None, one_zoom(zoom), tiles_of(tiles)
    run_task(
        "segment",
        image,
        options,
        lambda scene: scene.segment(
            wanted,
            present=present,
            background=background,
            refine=refine,
            zoom=factor,
            tiles=cut,
            **options.of_run(),
        ),
        query=wanted,
    )


def depth(
    image: Image,
    scale: Annotated[
        Scale, typer.Option(help="open: any picture; the others: that data set's range, in metres.")
    ] = "open",
    focal_px: Annotated[
        str | None,
        typer.Option(
            "--focal-px",
            metavar="PIXELS",
            help="Focal length in pixels of the image, which makes open-world depth metric; or unknown, to disregard "
            "what the file tells of it. [default: what the file tells]",
        ),
    ] = None,
    zoom: Annotated[
        str,
        typer.Option(
            "--zoom",
            metavar="FACTOR",
            help="Look at the picture so much larger, 1 to 4; auto: as large as fits; focal: so that its focal length "
            "is the one that the model knows.",
        ),
    ] = "1",
    tiles: TilesOption = "1x1",
    *,
    options: TaskOptions,
) -> None:
    """Estimate the distance of every pixel."""
    focal, factor, cut = None if focal_px is None else focal_of(focal_px), depth_zoom(zoom), tiles_of(tiles)
    run_task(
        "depth",
        image,
        options,
        lambda scene: scene.depth(scale=scale, focal_px=focal, zoom=factor, tiles=cut, **options.of_run()),
        scale=scale,
    )


def depth_zoom(text: str) -> Zoom | Literal["focal"]:
    """Return the zoom that was typed for depth.

    Raises:
        InputError: It is none.
    """
    return "focal" if text.strip().lower() == "focal" else one_zoom(text)


def focal_of(text: str) -> float | Literal["unknown"]:
    """Return the focal length that was typed; its range is for the task to check.

    Raises:
        InputError: It is no number, and not "unknown".
    """
    if text == "unknown":
        return "unknown"
    try:
        return float(text)
    except ValueError as exc:
        raise InputError(f"the focal length must be in pixels of the image, or unknown; got {text!r}.") from exc
