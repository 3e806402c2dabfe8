"""A format: its names, the values that have a form in it, and how it makes a file's bytes of one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.source import UNKNOWN, Source
from youtu_gguf.types import Result


@dataclass(frozen=True)
class Writer:
    """A format for results. Called with a path, a result and its source, it writes a file.

    Attributes:
        name: Its name among the formats.
        media_type: As HTTP names it.
        takes: Types of the values that have a form in it; a `Count` may lack the boxes that it needs nevertheless.
        to_bytes: Makes the file's bytes; called with values of these types only.
    """

    name: str
    media_type: str
    takes: tuple[type[Result], ...]
    to_bytes: Callable[[Any, Source], bytes]

    @property
    def suffix(self) -> str:
        """The end of a file's name that stands for the format."""
        return f".{self.name}"

    def encode(self, result: Result, source: Source = UNKNOWN) -> bytes:
        """Return `result` as the bytes of a file.

        Raises:
            InputError: The format has no form for such a result, or needs more of its source than is known.
        """
        if not isinstance(result, self.takes):
            kinds = ", ".join(kind.__name__ for kind in self.takes)
            raise InputError(
                f"the format {self.name} is for {kinds}; got a {type(result).__name__}. Choose another format, or JSON."
            )
        return self.to_bytes(result, source)

    def __call__(self, path: str | Path, result: Result, source: Source = UNKNOWN) -> None:
        """Write `result` to `path`, which need not end in the format's suffix.

        Raises:
            InputError: As for `encode`.
            OutputError: The file cannot be written.
        """
        write_bytes(path, self.encode(result, source))
