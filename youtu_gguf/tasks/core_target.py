"""The core target of a box: its pixels, told apart from the background on an enlarged crop of its surroundings.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 6). The reference asks
`Wording.core` of the enlarged crop, and its answer says which number of the mask is the foreground. Image tokens see
nothing of a question that follows them: their scores are there without it, and tell which is which.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from youtu_gguf.decode.dense import class_scores, foreground, foreground_score
from youtu_gguf.engines.base import Vocabulary
from youtu_gguf.errors import ModelFileError
from youtu_gguf.images.crop import Region, make_crop
from youtu_gguf.refine.labels import refined_labels
from youtu_gguf.tasks.base import TaskContext
from youtu_gguf.types import F32, Bits, Refinement, Size

BACKGROUND, FOREGROUND = "<BG>", "<FG>"


class CoreTarget(NamedTuple):
    """Pixels of a target in the `region` of the source image around its box: (h, w) bool, and how they stand out."""

    bits: Bits
    score: float
    region: Region

    def paste(self, bits: Bits) -> None:
        """Write the target into (H, W) `bits` over the source image."""
        bits[self.region.top : self.region.bottom, self.region.left : self.region.right] = self.bits


def core_target(
    context: TaskContext,
    tokens: Sequence[Sequence[int]],
    box: Sequence[float],
    size: int,
    padding: float,
    method: Refinement,
) -> CoreTarget:
    """Mask what is in `box`; nothing is generated.

    The reference refines these masks too, by its CRF on the enlarged crop; here it is the surroundings in the source
    image that they follow, without the line around the box.

    Args:
        context: The scene.
        tokens: As `core_tokens` returns them.
        box: Left, top, right, bottom in source pixels.
        size: Short side of the enlarged crop.
        padding: Sides of the surroundings relative to those of the box.
        method: How the mask's border is pulled to the image's edges.

    Raises:
        InputError: The box has no pixels of the image.
    """
    crop, region = make_crop(context.rgb, box, crop_size=size, padding=padding)
    with context.open_crop(crop) as closer:
        scores = class_scores(closer.patches(), tokens)
    if method == "none":
        return CoreTarget(*foreground(scores, region.size, calibration=context.calibration), region)
    surroundings = context.rgb[region.top : region.bottom, region.left : region.right]
    bits = refined_labels(scores, np.ascontiguousarray(surroundings), method, calibration=context.calibration) == 1
    return CoreTarget(bits, foreground_score(scores, bits, calibration=context.calibration), region)


def core_tokens(vocabulary: Vocabulary, task: str) -> list[tuple[int, ...]]:
    """Return the tokens of background and foreground, in this order; `task` needs them.

    Raises:
        ModelFileError: The vocabulary cannot write them.
    """
    return [_tag_tokens(vocabulary, tag, task) for tag in (BACKGROUND, FOREGROUND)]


def has_pixels(xyxy: F32, size: Size) -> npt.NDArray[np.bool_]:
    """Return which of (n, 4) boxes in source pixels have an area inside the image; none reaches below 0."""
    clipped = np.minimum(xyxy, [size.width, size.height, size.width, size.height])
    inside: npt.NDArray[np.bool_] = np.all(clipped[:, :2] < clipped[:, 2:], axis=1)
    return inside


def _tag_tokens(vocabulary: Vocabulary, tag: str, task: str) -> tuple[int, ...]:
    """Return the token of `tag`, or its pieces: which tags are single tokens is not published."""
    token = vocabulary.token_id(tag)
    ids = vocabulary.tokenize(tag) if token is None else (token,)
    if not ids:
        raise ModelFileError(
            f"{task} needs the tag {tag}; this model's vocabulary cannot write it. "
            "Use a GGUF converted from Youtu-VL-4B-Instruct."
        )
    return ids
