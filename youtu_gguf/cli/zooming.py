"""How much larger, and in how many tiles, a picture is looked at: as people type it."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from youtu_gguf.errors import InputError
from youtu_gguf.images.zoom import Tiles, Zoom, checked_tiles, chosen_zoom
from youtu_gguf.types import Size

_SHOWN = (
    "Show the picture this many times as large, 1 to 4, or auto for as large as fits: small things are seen better."
)

OneZoom = Annotated[str, typer.Option("--zoom", metavar="ZOOM", help=_SHOWN)]
Zooms = Annotated[
    str, typer.Option("--zoom", metavar="ZOOM,...", help=f"{_SHOWN} Of several, such as 1,2, the answers are merged.")
]
TilesOption = Annotated[
    str,
    typer.Option("--tiles", metavar="COLSxROWS", help="Look at it in so many tiles, which lets it be larger still."),
]


def one_zoom(typed: str) -> Zoom:
    """Return the zoom that was typed.

    Raises:
        InputError: It is none.
    """
    try:
        zoom: Zoom = "auto" if typed.strip().lower() == "auto" else float(typed)
    except ValueError:
        raise InputError(f"--zoom must be a number from 1 to 4, or auto; got {typed!r}.") from None
    chosen_zoom(zoom, Size(1, 1), max_tokens=16)  # whether the picture fits is seen when it is open
    return zoom


def zooms(typed: str) -> Zoom | tuple[Zoom, ...]:
    """Return the zoom that was typed, or the zooms where there are commas.

    Raises:
        InputError: One of them is none.
    """
    several = tuple(one_zoom(part) for part in typed.split(","))
    return several if len(several) > 1 else several[0]


def tiles_of(text: str) -> Tiles:
    """Return the columns and rows that were typed, as 2x2.

    Raises:
        InputError: They are no such pair.
    """
    numbers = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text.lower())
    if numbers is None:
        raise InputError(f"tiles must be columns and rows, as 2x2; got {text!r}.")
    return checked_tiles((int(numbers[1]), int(numbers[2])))
