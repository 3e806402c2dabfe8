"""Label maps, masks and objects as levels that are numbers of classes or objects; their colours are only for viewers.

Levels are 8 bits with a palette, or 16 bits of grey where there are more than 254 classes or objects. Their names, as
JSON, and the level of the background stand in tEXt chunks, and with the colours in a file beside it. Pillow
reads the levels; OpenCV reads the colours of a palette instead.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from youtu_gguf.atomic import json_bytes
from youtu_gguf.output.png import Levels, grey_png, indexed_png
from youtu_gguf.output.source import Source
from youtu_gguf.types import Bits, Instances, LabelMap, Mask
from youtu_gguf.types.colours import BACKGROUND, Colour, colour

_MOST_IN_8_BITS = 254
_PALETTE_SIZE = 256


@dataclass(frozen=True, eq=False)
class _Numbered:
    """Levels (H, W), and the names of the levels from `first` on, one after the other; all other pixels `background`.

    `key` is what the names are of: "classes", or "labels" of objects.
    """

    levels: Levels
    key: str
    names: tuple[str, ...]
    first: int
    background: int

    @property
    def texts(self) -> dict[str, str]:
        return {self.key: json.dumps(self.names), "background": str(self.background)}

    @property
    def colours(self) -> list[Colour]:
        return [colour(i) for i in range(len(self.names))]

    @property
    def palette(self) -> npt.NDArray[np.uint8]:
        """(256, 3): the colour of each level that is used; black for others."""
        table = np.zeros((_PALETTE_SIZE, 3), np.uint8)
        table[self.first : self.first + len(self.names)] = np.array(self.colours, np.uint8).reshape(-1, 3)
        table[self.background] = BACKGROUND
        return table


def encode_index_png(result: Mask | Instances | LabelMap, _source: Source) -> bytes:
    """Return the classes or objects of all pixels as a PNG file whose levels are their numbers.

    - A label map: the index of each pixel's class; the background is 255, or 65535 of 16 bits.
    - A mask: 255 inside, 0 outside, 8 bits of grey; so viewers show it, and tools that test for 0 and for 127 agree.
    - Instances: 1 for the first, and so on; 0 where there is none. Where masks overlap, the later object is in front:
      it has the smaller box.

    Raises:
        InputError: There are no pixels.
    """
    if isinstance(result, Mask):
        return mask_png(result.bits)
    found = _numbered(result)
    if found.levels.dtype == np.uint8:
        return indexed_png(found.levels.astype(np.uint8, copy=False), found.palette, found.texts)
    return grey_png(found.levels, found.texts)


def index_names(result: Mask | Instances | LabelMap, _source: Source) -> Mapping[str, bytes]:
    """Return the file beside an index PNG, which names its levels, by its suffix; none for a mask.

    Keys: `names`; `first`, the level of the first name, the others following one by one; `background`, the level of
    pixels without one; `palette`, the red, green and blue of each name; `background_colour`.
    """
    if isinstance(result, Mask):
        return {}
    found = _numbered(result)
    form = {
        "names": found.names,
        "first": found.first,
        "background": found.background,
        "palette": found.colours,
        "background_colour": BACKGROUND,
    }
    return {".classes.json": json_bytes(form)}


def grey_index_png(result: Mask | Instances | LabelMap) -> bytes:
    """Return what `encode_index_png` does in grey, without a palette: for programs that decode colours.

    Raises:
        InputError: There are no pixels.
    """
    if isinstance(result, Mask):
        return mask_png(result.bits)
    found = _numbered(result)
    return grey_png(found.levels, found.texts)


def mask_png(bits: Bits) -> bytes:
    """Return an (H, W) mask as a grey PNG file, as `encode_index_png` does."""
    return grey_png(bits.astype(np.uint8) * np.uint8(255))


def background_level(labels: LabelMap) -> int:
    """Return the level of pixels of no class: 255, or 65535 where the levels have 16 bits."""
    return int(np.iinfo(_depth(len(labels.classes))).max)


def _numbered(result: Instances | LabelMap) -> _Numbered:
    if isinstance(result, LabelMap):
        levels: Levels = result.ids.astype(_depth(len(result.classes)))  # -1 wraps round to the highest level
        return _Numbered(levels, "classes", result.classes, 0, background_level(result))
    levels = np.zeros(result.masks.shape[1:], _depth(len(result)))
    for number, mask in enumerate(result.masks, 1):
        levels[mask] = number
    return _Numbered(levels, "labels", result.labels, 1, 0)


def _depth(n: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if n <= _MOST_IN_8_BITS else np.uint16
