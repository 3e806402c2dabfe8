"""What the levels of a data set's label maps stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from youtu_gguf.types import U8

I64 = npt.NDArray[np.int64]

NONE = 255
"""The number of a pixel that an answer gives no class; of the truth, of one that does not count."""

N_LEVELS = 256


@dataclass(frozen=True)
class Numbering:
    """How the pixels of a data set's label maps stand for its classes.

    Attributes:
        of_classes: The level of each class, in the order of the classes; 254 of them at most.
        ignored: Levels of pixels that do not count.
    """

    of_classes: tuple[int, ...]
    ignored: frozenset[int]

    def to_table(self) -> U8:
        """Return (256,) the class of each level: 255 for one that does not count, or that has no meaning."""
        table = np.full(N_LEVELS, NONE, np.uint8)
        table[list(self.of_classes)] = np.arange(len(self.of_classes))
        return table


@dataclass(eq=False)
class TrueLabels:
    """The truth of an image.

    Attributes:
        file: A grey or palette PNG file of 8 bits.
        numbering: What its levels stand for.
        pixels: (K,) how many pixels each class has; None until they have been counted.
    """

    file: Path
    numbering: Numbering
    pixels: I64 | None = None
