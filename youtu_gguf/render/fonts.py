"""Which font of this machine has shapes for a text: Pillow's own has little but ASCII."""

from __future__ import annotations

import logging
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.environment import font_folders

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

LOG = logging.getLogger("youtu_gguf.drawings")
"""Notes on what could not be drawn; the command line's --quiet silences it."""

_SUFFIXES = (".ttf", ".ttc", ".otf", ".otc")
_PREFERRED = (
    *("notosanscjk", "notosanssc", "sourcehansans", "pingfang", "hiraginosansgb", "msyh", "wqymicrohei", "wqyzenhei"),
    *("droidsansfallback", "stheiti", "simhei", "arialunicode", "notosans", "segoeui", "dejavusans"),
)
"""How the names of fonts begin that are taken before others, in this order: plain ones with many characters."""

_UNUSABLE = ("lastresort", "adobeblank", "notocoloremoji", "applecoloremoji")
"""Fonts without readable shapes: boxes or nothing for every character, or images in colour."""

_STYLED = re.compile("bold|black|heavy|thin|light|italic|oblique|condensed|mono|serif")
_NOT_A_CHARACTER = "\uffff"
_PROBE_PX = 22
"""Large enough for the shapes of all characters to differ."""


class Run(NamedTuple):
    """A stretch of text to draw in the font of one file; None for Pillow's own."""

    text: str
    file: Path | None


class _Characters(NamedTuple):
    """Characters that a font says it has: first and last of each range, in order."""

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    def hold(self, characters: Iterable[str]) -> bool:
        """Whether all `characters` are in the ranges."""
        codes = np.array([ord(c) for c in characters])
        at = np.searchsorted(self.first, codes, "right") - 1
        return bool((at >= 0).all() and (codes <= self.last[at]).all())


class Fonts:
    """The fonts in some folders, at any depth."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._found: dict[frozenset[str], Path | None] = {}
        self._told = False

    def runs(self, text: str) -> list[Run]:
        """Split `text` by the fonts to draw it in: one where there is one for all; none has shapes for some of it."""
        if all(map(built_in_has, text)):
            return [Run(text, None)]
        whole = self._find(frozenset(text))
        if whole is not None:
            return [Run(text, whole)]
        by_file = groupby(text, key=lambda c: None if built_in_has(c) else self._find(frozenset(c)))
        return [Run("".join(characters), file) for file, characters in by_file]

    def have(self, character: str) -> bool:
        """Whether Pillow's own font or one of these has a shape for `character`; the first without is logged."""
        if built_in_has(character) or self._find(frozenset(character)) is not None:
            return True
        if not self._told:
            self._told = True
            LOG.warning(
                "no font on this machine has a shape for some characters, such as %s: their numbers are drawn "
                "(U+%04X). Install one that has, such as Noto Sans CJK (on Debian: apt-get install fonts-noto-cjk).",
                *(character, ord(character)),
            )
        return False

    def _find(self, characters: frozenset[str]) -> Path | None:
        """Return the first file with shapes for all `characters`."""
        if characters not in self._found:
            fitting = (file for file, has in self._files if has.hold(characters) and _draws(file, characters))
            self._found[characters] = next(fitting, None)
        return self._found[characters]

    @cached_property
    def _files(self) -> list[tuple[Path, _Characters]]:
        walked = (parts for folder in self._folders for parts in os.walk(folder))  # passes over what it cannot read
        found = {Path(folder, name) for folder, _, names in walked for name in names}
        fonts = (file for file in found if file.suffix.lower() in _SUFFIXES)
        ranked = sorted((rank, file) for file in fonts if (rank := _rank(file)) is not None)
        return [(file, characters) for _, file in ranked if (characters := _characters(file)) is not None]


@cache
def system_fonts() -> Fonts:
    """Return the fonts of this machine, as they are when they are first needed."""
    return Fonts(font_folders())


@cache
def built_in_has(character: str) -> bool:
    """Whether Pillow's own font has a shape for `character`."""
    from PIL import ImageFont

    return _has_shape(ImageFont.load_default(_PROBE_PX), character)


def _rank(file: Path) -> tuple[int, bool, str] | None:
    name = re.sub("[-_ ]", "", file.stem.lower())
    if name.startswith(_UNUSABLE):
        return None
    place = next((i for i, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))
    return place, _STYLED.search(name) is not None, name


def _draws(file: Path, characters: Iterable[str]) -> bool:
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(file, _PROBE_PX)
        return all(c.isspace() or _has_shape(font, c) for c in characters)
    except (OSError, ValueError):  # damaged, or of bitmaps
        return False


def _has_shape(font: FreeTypeFont | ImageFont, character: str) -> bool:
    missing, shape = font.getmask(_NOT_A_CHARACTER), font.getmask(character)
    return (shape.size, bytes(shape)) != (missing.size, bytes(missing))


def _characters(file: Path) -> _Characters | None:
    """Return the characters of a font's largest table of them; None where there is no such table.

    Source: OpenType specification 1.9, "cmap", formats 4 and 12, and "Font Collections", whose first font is read.
    """
    try:
        with file.open("rb") as font:
            tag, first_font = struct.unpack(">4s8xI", font.read(16))
            font.seek(first_font if tag == b"ttcf" else 0)
            (n_tables,) = struct.unpack(">4xH6x", font.read(12))
            tables = struct.iter_unpack(">4s4xII", font.read(16 * n_tables))
            start, length = next((start, length) for tag, start, length in tables if tag == b"cmap")
            font.seek(start)
            table = font.read(length)
        return max(_character_tables(table), key=lambda found: len(found.first), default=None)
    except (OSError, ValueError, struct.error, StopIteration):
        return None


def _character_tables(table: bytes) -> Iterator[_Characters]:
    (n_subtables,) = struct.unpack_from(">2xH", table)
    for _, _, start in struct.iter_unpack(">HHI", table[4 : 4 + 8 * n_subtables]):
        (kind,) = struct.unpack_from(">H", table, start)
        if kind == 4:  # noqa: PLR2004 - a format: ranges of 16 bits
            (n_bytes,) = struct.unpack_from(">H", table, start + 6)
            last, first = (np.frombuffer(table, ">u2", n_bytes // 2, start + at) for at in (14, 16 + n_bytes))
            yield _Characters(first.astype(np.int64), last.astype(np.int64))
        elif kind == 12:  # noqa: PLR2004 - ranges of 32 bits
            (n_groups,) = struct.unpack_from(">I", table, start + 12)
            groups = np.frombuffer(table, ">u4", 3 * n_groups, start + 16).reshape(-1, 3).astype(np.int64)
            yield _Characters(groups[:, 0], groups[:, 1])
