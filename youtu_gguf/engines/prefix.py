"""What precedes a question: the system text, earlier turns, and words and images of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from youtu_gguf.errors import InputError
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.types import Part, PreparedImage, Turn


@dataclass(frozen=True, init=False)
class Prefix:
    """Everything before the question: `Prefix(image)`, `Prefix("Text before the", image)`, `Prefix(turns=earlier)`.

    Attributes:
        parts: Words and images of the user before the question, in any order; none or several images.
        system: The system text.
        turns: Earlier turns of the conversation, the first one first.
    """

    parts: tuple[Part, ...]
    system: str
    turns: tuple[Turn, ...]

    def __init__(self, *parts: Part, system: str = DEFAULT_SYSTEM, turns: Iterable[Turn] = ()) -> None:
        for name, value in (("parts", parts), ("system", system), ("turns", tuple(turns))):
            object.__setattr__(self, name, value)

    @property
    def images(self) -> tuple[PreparedImage, ...]:
        """All images, in the order in which the model reads them."""
        own = (part for part in self.parts if isinstance(part, PreparedImage))
        return (*(image for turn in self.turns for image in turn.images), *own)

    def image(self, index: int = 0) -> PreparedImage:
        """Return one of `images`.

        Raises:
            InputError: There is no such image.
        """
        if not 0 <= index < len(self.images):
            has = f"images 0 to {len(self.images) - 1}" if self.images else "no image"
            raise InputError(f"expected the number of an image; got {index} for a prefix with {has}. Give another.")
        return self.images[index]

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts, in no order."""
        parts = [*self.parts, *(part for turn in self.turns for part in turn.parts)]
        return (self.system, *(p for p in parts if isinstance(p, str)), *(turn.answer for turn in self.turns))

    @property
    def instead(self) -> str:
        """What else to do where it does not fit into a context, as the end of a sentence."""
        return ", or begin another conversation" if self.turns else ""

    @property
    def key(self) -> str:
        """Names the content, that of images by their digest: prefixes with equal keys are equal."""
        turns = tuple((_content(turn.parts), str(turn.answer)) for turn in self.turns)
        return repr((str(self.system), _content(self.parts), turns))

    @property
    def earlier(self) -> Iterator[tuple[str, Prefix]]:
        """The beginnings that an engine may know from earlier turns, the longest first.

        For each turn there are two, as key and prefix: what preceded the question, with the question and its answer
        (see `answered_key`) and without.
        """
        for i, turn in reversed(list(enumerate(self.turns))):
            *parts, question = turn.parts or ("",)
            before = Prefix(*parts, system=self.system, turns=self.turns[:i])
            if isinstance(question, str):
                yield answered_key(before.key, question), before
                yield before.key, before

    def with_texts(self, change: Callable[[str], str]) -> Prefix:
        """Return this prefix with every text replaced by what `change` makes of it."""

        def changed(parts: Iterable[Part]) -> tuple[Part, ...]:
            return tuple(change(part) if isinstance(part, str) else part for part in parts)

        turns = (Turn(changed(turn.parts), change(turn.answer)) for turn in self.turns)
        return Prefix(*changed(self.parts), system=change(self.system), turns=turns)


def answered_key(key: str, question: str) -> str:
    """Return the key of what an engine keeps of the prefix `key`, a question and an answer to it, whichever it was."""
    return repr((key, str(question)))


def _content(parts: Iterable[Part]) -> tuple[str | tuple[str], ...]:
    return tuple(str(part) if isinstance(part, str) else (part.digest,) for part in parts)
