"""Arguments as people type them: text in, the value that a task takes out; `InputError` for anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from youtu_gguf.arguments import one_of
from youtu_gguf.errors import InputError
from youtu_gguf.facts import CROP_SIZE, PADDING
from youtu_gguf.images.crop import check_knobs
from youtu_gguf.images.zoom import AutoZoom, Tiles, Zoom, checked_tiles, chosen_zoom
from youtu_gguf.types import FocalWord, Size


def read_zoom(text: str) -> Zoom:
    """Return a zoom from 1 to 4, "auto" or "auto:3"; whether the image fits at it is seen when the image is open."""
    words: tuple[AutoZoom, ...] = get_args(AutoZoom)
    word = next((word for word in words if word == text.strip().lower()), None)
    zoom: Zoom = word or _number(text, "zoom must be a number from 1 to 4, auto, auto:2 or auto:3")
    chosen_zoom(zoom, Size(1, 1), max_tokens=16)
    return zoom


def read_zooms(text: str) -> Zoom | tuple[Zoom, ...]:
    """Return a zoom, or several where there are commas: `1,2`."""
    several = tuple(read_zoom(part) for part in text.split(","))
    return several if len(several) > 1 else several[0]


def read_depth_zoom(text: str) -> Zoom | Literal["focal"]:
    """Return a zoom, or "focal"."""
    return "focal" if text.strip().lower() == "focal" else read_zoom(text)


def read_tiles(text: str) -> Tiles:
    """Return columns and rows, typed as `2x2`."""
    numbers = re.fullmatch(r"(\d{1,4})[x×](\d{1,4})", text.lower())
    if numbers is None:
        raise InputError(f"tiles must be columns and rows, as 2x2; got {text!r}.")
    return checked_tiles((int(numbers[1]), int(numbers[2])))


def read_focal(text: str) -> float | FocalWord:
    """Return a focal length in pixels, "unknown" or "assumed"; its range is for the task to check."""
    if text in ("unknown", "assumed"):
        return "unknown" if text == "unknown" else "assumed"
    return _number(text, "focal_px must be pixels of the image, unknown or assumed")


def read_crop_size(text: str) -> int:
    """Return the short side of an enlarged crop, in pixels."""
    pixels = _whole(text, "crop_size must be a whole number of pixels")
    check_knobs(pixels, PADDING)
    return pixels


def read_padding(text: str) -> float:
    """Return the sides of an enlarged crop relative to those of its box."""
    padding = _number(text, "padding must be a number from 1")
    check_knobs(CROP_SIZE, padding)
    return padding


def read_limit(text: str) -> int:
    """Return how many objects there may be; the task checks its range."""
    return _whole(text, "limit must be a whole number of objects, at least 1")


def read_box(texts: Sequence[str]) -> tuple[float, ...]:
    """Return left, top, right and bottom in pixels of the image."""
    return tuple(_number(text, "a box must be left, top, right, bottom in pixels") for text in texts)


def read_point(texts: Sequence[str]) -> tuple[float, ...]:
    """Return x and y in pixels of the image."""
    return tuple(_number(text, "a point must be x and y in pixels") for text in texts)


def choice_reader(name: str, literal: Any) -> Callable[[str], str]:
    """Return what reads one of the words of a `Literal`, which the argument `name` may be, in any case."""
    rule = one_of(literal)

    def read(text: str) -> str:
        word: str = rule(name, text.lower())
        return word

    return read


def _number(text: str, expected: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{expected}; got {text!r}.") from None


def _whole(text: str, expected: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{expected}; got {text!r}.") from None
