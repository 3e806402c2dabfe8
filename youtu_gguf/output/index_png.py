"""Label maps, masks and objects as grey levels that are numbers of classes or objects, and not colours.

Levels are 8 bits, or 16 where there are more than 254 classes or objects. Their names, as JSON, and the level of the
background stand in tEXt chunks.
"""

import json
from collections.abc import Sequence

import numpy as np

from youtu_gguf.output.png import Levels, grey_png
from youtu_gguf.output.source import Source
from youtu_gguf.types import Bits, Instances, LabelMap, Mask

_MOST_IN_8_BITS = 254


def encode_index_png(result: Mask | Instances | LabelMap, _source: Source) -> bytes:
    """Return the classes or objects of all pixels as a grey PNG file.

    - A label map: the index of each pixel's class; the background is 255, or 65535 of 16 bits.
    - A mask: 255 inside, 0 outside, 8 bits; so viewers show it, and tools that test for 0 and for 127 agree.
    - Instances: 1 for the first, and so on; 0 where there is none. Where masks overlap, the later object is in front:
      it has the smaller box.

    Raises:
        InputError: There are no pixels.
    """
    match result:
        case Mask():
            return mask_png(result.bits)
        case LabelMap():
            return label_map_png(result)
        case Instances():
            levels: Levels = np.zeros(result.masks.shape[1:], _depth(len(result)))
            for number, mask in enumerate(result.masks, 1):
                levels[mask] = number
            return _named_png(levels, "labels", result.labels, background=0)


def mask_png(bits: Bits) -> bytes:
    """Return an (H, W) mask as a grey PNG file, as `encode_index_png` does."""
    return grey_png(bits.astype(np.uint8) * np.uint8(255))


def label_map_png(labels: LabelMap) -> bytes:
    """Return a label map as a grey PNG file of class indices, as `encode_index_png` does."""
    depth = _depth(len(labels.classes))
    levels: Levels = labels.ids.astype(depth)  # -1 wraps round to the highest level
    return _named_png(levels, "classes", labels.classes, background=background_level(labels))


def background_level(labels: LabelMap) -> int:
    """Return the level of pixels of no class: 255, or 65535 where the levels have 16 bits."""
    return int(np.iinfo(_depth(len(labels.classes))).max)


def _depth(n: int) -> type[np.uint8] | type[np.uint16]:
    return np.uint8 if n <= _MOST_IN_8_BITS else np.uint16


def _named_png(levels: Levels, kind: str, names: Sequence[str], *, background: int) -> bytes:
    return grey_png(levels, {kind: json.dumps(names), "background": str(background)})
