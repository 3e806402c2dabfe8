"""Colours for classes and objects: the same index always gets the same colour."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]

BASE: tuple[Colour, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Okabe and Ito's colours, told apart with every common colour vision (Color Universal Design, 2008)."""

BACKGROUND: Colour = (90, 90, 90)

_GOLDEN_ANGLE = 0.618034  # turns; successive hues land far from all earlier ones
_LIGHTNESS = (0.45, 0.65, 0.55)


def colour(index: int) -> Colour:
    """Return the RGB colour of class or object `index`; distinct for the first seven, spread evenly beyond."""
    if index < len(BASE):
        return BASE[index]
    hue = (index * _GOLDEN_ANGLE) % 1
    red, green, blue = colorsys.hls_to_rgb(hue, _LIGHTNESS[index % len(_LIGHTNESS)], 0.75)
    return round(red * 255), round(green * 255), round(blue * 255)
