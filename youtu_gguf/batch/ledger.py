"""What a batch needs of its journal, and the one whose lines stay in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from youtu_gguf.batch.journal import Line


class Ledger(Protocol):
    """Where a batch finds what is finished, and records what it does, as in a `Journal`."""

    @property
    def lines(self) -> Mapping[str, Line]:
        """The line of every finished image, by the name of the image."""
        ...

    def add(self, name: str, line: Line) -> None:
        """Add the line of a finished image."""
        ...

    def begin(self, name: str) -> None:
        """Note that an image is begun, before it can do harm."""
        ...

    def tries(self, name: str) -> int:
        """Return how often an image without a line was begun."""
        ...

    def lose(self, name: str) -> None:
        """Note that the process died while it was at work on an image that was begun."""
        ...

    def let_go(self) -> None:
        """Take back that the images in progress were begun."""
        ...

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        """Delete the lines of images that must be done again."""
        ...

    def clear_files(self, name: str) -> None:
        """Delete the folder `name`, which an earlier run wrote for an image that is not finished."""
        ...


class MemoryLedger:
    """A journal in memory.

    Args:
        lost: How often images were in progress when a process ended, by their names.

    Attributes:
        lines: The lines of images that are finished, by their names.
        lost: As above, without the images that are finished.
        in_progress: Names of images that are begun.
    """

    def __init__(self, lost: Mapping[str, int] | None = None) -> None:
        self.lines: dict[str, Line] = {}
        self.lost = dict(lost or {})
        self.in_progress: dict[str, None] = {}

    def add(self, name: str, line: Line) -> None:
        """Keep the line of a finished image."""
        self.lines[name] = line
        self.in_progress.pop(name, None)
        self.lost.pop(name, None)

    def begin(self, name: str) -> None:
        """Note that an image is begun."""
        self.in_progress[name] = None

    def tries(self, name: str) -> int:
        """Return how often an image without a line was begun."""
        return self.lost.get(name, 0) + (name in self.in_progress)

    def lose(self, name: str) -> None:
        """Note that the process died while it was at work on an image that was begun."""
        self.lost[name] = self.tries(name)
        self.in_progress.pop(name, None)

    def let_go(self) -> None:
        """Take back that the images in progress were begun."""
        self.in_progress.clear()

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        """Delete the lines of images that must be done again."""
        self.lines = {name: line for name, line in self.lines.items() if not unwanted(line)}

    def clear_files(self, name: str) -> None:
        """Do nothing: no earlier run has left files."""
