"""What is known of where a result comes from: some formats need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from youtu_gguf.errors import InputError
from youtu_gguf.types import U8, Size

UNNAMED = "object"
"""The label of what has none."""

FocalFrom = Literal["exif", "given", "assumed"]
"""Where a focal length is from: the image's file, the user, or an assumption about cameras."""


@dataclass(frozen=True, eq=False)
class Source:
    """Where a result comes from, as far as the caller tells: some formats need it, others say it besides.

    Attributes:
        rgb: (H, W, 3) uint8, the upright source image.
        context: Keys for the result's JSON form, such as "task", "image" (its path) and "model".
        name: Name of the image's file, for data sets; it may begin with folders.
        size: Size of the upright source image; by default that of `rgb`.
        label: What a mask is of, such as the phrase that it was asked for by.
        focal_px: Focal length in pixels of the source image, where it is known; "assumed" for that of a telephone,
            which files then state (`decode.depth.assumed_focal`).
        focal_from: Where a focal length in numbers is from.
    """

    rgb: U8 | None = field(default=None, repr=False)
    context: Mapping[str, Any] = field(default_factory=dict)
    name: str = "image"
    size: Size | None = None
    label: str = UNNAMED
    focal_px: float | Literal["assumed"] | None = None
    focal_from: FocalFrom = "given"

    def __post_init__(self) -> None:
        if self.size is None and self.rgb is not None:
            object.__setattr__(self, "size", Size(self.rgb.shape[1], self.rgb.shape[0]))

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


def asked_label(arguments: Mapping[str, object]) -> str:
    """Return what a task was asked for in a phrase, which then labels its mask; `UNNAMED` where in no phrase."""
    phrase = arguments.get("phrase")
    return phrase if isinstance(phrase, str) and phrase.strip() else UNNAMED
