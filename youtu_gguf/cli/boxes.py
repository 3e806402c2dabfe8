"""Commands that find things: boxes, outlines, masks and persons."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.dense import Refine
from youtu_gguf.cli.task import run_task
from youtu_gguf.cli.zooming import OneZoom, Zooms, one_zoom, zooms
from youtu_gguf.facts import CROP_SIZE, PADDING

By = Literal["states", "polygon"]
Find = Literal["names", "everything"]
RefineOption = Annotated[
    Refine,
    typer.Option(
        "--refine",
        help="How a mask's border is pulled to the picture's edges. auto: by the CRF where it is installed, else by "
        "the guided filter.",
    ),
]
CropSize = Annotated[int, typer.Option(help="Short side of the enlarged picture that is looked at; smaller is faster.")]
Padding = Annotated[float, typer.Option(help="Sides of that picture relative to those of the box.")]
Phrase = Annotated[str, typer.Argument(metavar="PHRASE", help='What to look for, such as "the left cup".')]


def ground(image: Image, phrase: Phrase, zoom: OneZoom = "1", *, options: TaskOptions) -> None:
    """Find the box of what a phrase describes."""
    chosen = one_zoom(zoom)
    run_task(
        "ground", image, options, lambda scene: scene.ground(phrase, zoom=chosen, **options.of_run()), query=phrase
    )


def detect(
    image: Image,
    classes: Annotated[
        list[str] | None, typer.Argument(metavar="CLASS", help="Classes to find; none for everything.")
    ] = None,
    zoom: Zooms = "1",
    *,
    options: TaskOptions,
) -> None:
    """Find all objects of some classes, or of any."""
    wanted, chosen = classes or None, zooms(zoom)
    run_task(
        "detect", image, options, lambda scene: scene.detect(wanted, zoom=chosen, **options.of_run()), query=wanted
    )


def polygon(image: Image, phrase: Phrase, zoom: OneZoom = "1", *, options: TaskOptions) -> None:
    """Outline what a phrase describes."""
    chosen = one_zoom(zoom)
    run_task(
        "polygon", image, options, lambda scene: scene.polygon(phrase, zoom=chosen, **options.of_run()), query=phrase
    )


def refer(
    image: Image,
    phrase: Annotated[
        str | None, typer.Argument(metavar="PHRASE", help='What to mask, such as "the left cup"; or give --box.')
    ] = None,
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(metavar="LEFT TOP RIGHT BOTTOM", help="Mask what is in this box, in pixels of the image."),
    ] = None,
    crop_size: CropSize = CROP_SIZE,
    padding: Padding = PADDING,
    by: Annotated[
        By, typer.Option(help="Tell pixels apart, or fill the outline that the model draws: coarser, on any engine.")
    ] = "states",
    refine: RefineOption = "auto",
    *,
    options: TaskOptions,
) -> None:
    """Mask what a phrase describes, or what is in a box, to the pixel."""
    knobs: dict[str, Any] = {"crop_size": crop_size, "padding": padding, "by": by, "refine": refine}
    run_task(
        "refer",
        image,
        options,
        lambda scene: scene.refer(phrase, box=box, **knobs, **options.of_run()),
        query=phrase,
        box=box,
    )


def instances(
    image: Image,
    classes: Annotated[
        list[str] | None, typer.Argument(metavar="CLASS", help="Classes to find; none for everything.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Objects at most, the largest first. [default: 30]")] = None,
    crop_size: CropSize = CROP_SIZE,
    padding: Padding = PADDING,
    find: Annotated[
        Find,
        typer.Option(help="Without classes: detect those that the model names, or everything at once."),
    ] = "names",
    refine: RefineOption = "auto",
    *,
    options: TaskOptions,
) -> None:
    """Mask all objects of some classes, or of any, each on its own."""
    wanted = classes or None
    knobs: dict[str, Any] = {"crop_size": crop_size, "padding": padding, "find": find, "refine": refine}

    def ask(scene: yg.Scene) -> yg.Instances:
        mask = partial(scene.instances, wanted, **knobs, **options.of_run())
        return mask() if limit is None else mask(limit=limit)

    run_task("instances", image, options, ask, query=wanted)


def pose(image: Image, zoom: OneZoom = "1", *, options: TaskOptions) -> None:
    """Find all persons and their joints."""
    chosen = one_zoom(zoom)
    run_task("pose", image, options, lambda scene: scene.pose(zoom=chosen, **options.of_run()))
