"""A turn of a conversation: what the user said and showed, and what was answered."""

from dataclasses import dataclass

from youtu_gguf.types.geometry import PreparedImage

Part = str | PreparedImage
"""Words of the user, or an image among them."""


@dataclass(frozen=True)
class Turn:
    """What the user said, with images among the words or without any, and the answer.

    Attributes:
        parts: Words and images, in the order in which the model reads them.
        answer: The answer; it need not be complete.
    """

    parts: tuple[Part, ...]
    answer: str

    @property
    def question(self) -> str:
        """The words of the user."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[PreparedImage, ...]:
        """The images among the words."""
        return tuple(part for part in self.parts if isinstance(part, PreparedImage))
