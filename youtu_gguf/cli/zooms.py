"""Zooms as people type them: 2, auto, or several with commas between them."""

from __future__ import annotations

from typing import Annotated

import typer

from youtu_gguf.errors import InputError
from youtu_gguf.types import Size
from youtu_gguf.zoom import Zoom, chosen_zoom

_SHOWN = (
    "Show the picture this many times as large, 1 to 4, or auto for as large as fits: small things are seen better."
)

OneZoom = Annotated[str, typer.Option("--zoom", metavar="ZOOM", help=_SHOWN)]
Zooms = Annotated[
    str, typer.Option("--zoom", metavar="ZOOM,...", help=f"{_SHOWN} Of several, such as 1,2, the answers are merged.")
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
