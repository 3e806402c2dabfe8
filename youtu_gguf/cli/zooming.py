"""How much larger, and in how many tiles, a picture is looked at: as people type it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from youtu_gguf.errors import InputError
from youtu_gguf.zoom import MAX_ZOOM, Tiles

ZoomOption = Annotated[
    str,
    typer.Option(
        "--zoom", metavar="FACTOR", help="Look at the picture so much larger, 1 to 4, or auto: as large as fits."
    ),
]
TilesOption = Annotated[
    str,
    typer.Option("--tiles", metavar="COLSxROWS", help="Look at it in so many tiles, which lets it be larger still."),
]


def zoom_of(text: str) -> float | Literal["auto"]:
    """Return the zoom that was typed; its range is for the task to check.

    Raises:
        InputError: It is no number, and not "auto".
    """
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError as exc:
        raise InputError(f"zoom must be a number from 1 to {MAX_ZOOM:g}, or auto; got {text!r}.") from exc


def tiles_of(text: str) -> Tiles:
    """Return the columns and rows that were typed, as 2x2.

    Raises:
        InputError: They are no such pair.
    """
    numbers = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text.lower())
    if numbers is None:
        raise InputError(f"tiles must be columns and rows, as 2x2; got {text!r}.")
    return Tiles(int(numbers[1]), int(numbers[2]))
