"""How much larger, and in how many tiles, a picture is looked at: as people type it."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from youtu_gguf.errors import InputError
from youtu_gguf.zoom import Tiles, checked_tiles

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


def tiles_of(text: str) -> Tiles:
    """Return the columns and rows that were typed, as 2x2.

    Raises:
        InputError: They are no such pair.
    """
    numbers = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text.lower())
    if numbers is None:
        raise InputError(f"tiles must be columns and rows, as 2x2; got {text!r}.")
    return checked_tiles((int(numbers[1]), int(numbers[2])))
