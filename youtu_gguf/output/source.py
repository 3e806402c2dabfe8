"""What is known of where a result comes from: some formats need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.types import U8


@dataclass(frozen=True, eq=False)
class Source:
    """Where a result comes from, as far as the caller tells: some formats need it, others say it besides.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image.
        context: Keys for the result's JSON form, such as "task", "image" (its path) and "model".
    """

    rgb: U8 | None = field(default=None, repr=False)
    context: Mapping[str, Any] = field(default_factory=dict)

    def pixels(self, form: str) -> U8:
        """Return the image's pixels, for the format `form`, which cannot do without.

        Raises:
            InputError: They are not known.
        """
        if self.rgb is None:
            raise InputError(f"{form} needs the image that the result speaks of; got none. Give Source(rgb=...).")
        return self.rgb


UNKNOWN = Source()
"""Nothing but the result is known."""
