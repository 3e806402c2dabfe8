"""A format: its names, the values that have a form in it, and how it makes a file's bytes of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from youtu_gguf.arguments import checked_path
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
        beside: Makes the bytes of further files, by their suffixes: `x.index.png` has `x.classes.json` beside it. None
            where the format has none.
    """

    name: str
    media_type: str
    takes: tuple[type[Result], ...]
    to_bytes: Callable[[Any, Source], bytes]
    beside: Callable[[Any, Source], Mapping[str, bytes]] | None = None

    @property
    def suffix(self) -> str:
        """The end of a file's name that stands for the format."""
        return f".{self.name}"

    def encode(self, result: Result, source: Source = UNKNOWN) -> bytes:
        """Return `result` as the bytes of a file.

        Raises:
            InputError: The format has no form for such a result, or needs more of its source than is known.
        """
        self._check(result)
        return self.to_bytes(result, source)

    def files(self, path: str | Path, result: Result, source: Source = UNKNOWN) -> dict[Path, bytes]:
        """Return all files that `result` is written as to `path`, which itself comes last.

        Raises:
            InputError: As for `encode`.
        """
        own = checked_path("path", path)
        self._check(result)
        further = {} if self.beside is None or not own.name else self.beside(result, source)
        stem = own.name[: -len(self.suffix)] if own.name.lower().endswith(self.suffix) else own.stem
        named = {own.with_name(stem + suffix): data for suffix, data in further.items()}
        return {**named, own: self.encode(result, source)}

    def __call__(self, path: str | Path, result: Result, source: Source = UNKNOWN) -> None:
        """Write `result` to `path`, which need not end in the format's suffix, and before it what stands beside it.

        Raises:
            InputError: As for `encode`.
            OutputError: The file cannot be written.
        """
        for file, data in self.files(path, result, source).items():
            write_bytes(file, data)

    def _check(self, result: Result) -> None:
        if not isinstance(result, self.takes):
            kinds = ", ".join(kind.__name__ for kind in self.takes)
            raise InputError(
                f"the format {self.name} is for {kinds}; got a {type(result).__name__}. Choose another format, or JSON."
            )
