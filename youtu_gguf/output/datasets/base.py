"""What a data set of many images is made of: a part for each value, and files that are made of all parts.

A part is made while the value is there, and is JSON. So no value has to stay in memory, and a data set is made of
parts alone, as often as it is asked for. Parts know nothing of images' names and numbers, which come when they are
joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from youtu_gguf.output.source import Source
from youtu_gguf.types import Result, Size

Part = Any
"""JSON: what a data set needs of one value."""

Chunks = Iterable[bytes]
"""The bytes of a file, one piece after the other."""

LeaveOut = Callable[[str, str], None]
"""Called with the name of an image that a data set cannot have, and why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One value's place in a data set.

    Attributes:
        image_id: Number of the image, 1 or more.
        name: The image's name, with / between folders.
        size: Its size, upright.
        read: Returns the part, which need not be in memory before.
    """

    image_id: int
    name: str
    size: Size
    read: Callable[[], Part]


@dataclass(frozen=True)
class Joining:
    """What a data set is made of.

    Attributes:
        pieces: Those of one image follow each other. They are made anew each time that they are gone through, so that
            memory need not hold them.
        categories: Names whose numbers come first; others follow as they appear.
        leave_out: Told of images that the data set cannot have.
    """

    pieces: Iterable[Piece]
    categories: Iterable[str] = ()
    leave_out: LeaveOut = lambda _name, _why: None

    @property
    def is_empty(self) -> bool:
        """Whether there are no pieces."""
        return next(iter(self.pieces), None) is None


class Dataset(Protocol):
    """A format for many images at once."""

    @property
    def name(self) -> str:
        """Its name among the formats."""
        ...

    @property
    def media_type(self) -> str:
        """As HTTP names it; of a .zip file where it has several files."""
        ...

    @property
    def suffix(self) -> str:
        """The end of its file's name; "" where it is a folder with several files."""
        ...

    @property
    def takes(self) -> tuple[type[Result], ...]:
        """Types of the values that have a form in it; a `Count` needs its boxes."""
        ...

    @property
    def kept(self) -> tuple[str, ...]:
        """What users may put into its folder: it stays when the data set is made again."""
        ...

    def part(self, result: Any, source: Source) -> Part:
        """Return what the data set needs of a value, of one of the types that it takes.

        Raises:
            InputError: The value has no form in it, or the source's size is not known and it needs that.
        """
        ...

    def files(self, joining: Joining) -> Iterator[tuple[str, Chunks]]:
        """Yield the files of the data set: each with its path in the folder, "" for the only one, and its bytes.

        A file's bytes are to be used up before the next is asked for.

        Raises:
            InputError: The parts do not go together.
        """
        ...


def by_image(pieces: Iterable[Piece]) -> Iterator[tuple[str, list[Piece]]]:
    """Yield each image's name with its pieces."""
    for name, group in groupby(pieces, lambda piece: piece.name):
        yield name, [*group]
