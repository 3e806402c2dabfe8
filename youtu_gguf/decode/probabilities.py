"""Class probabilities at full size, some rows of one class at a time: all of them at once need not fit into memory.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 2 and 3).
"""

from collections.abc import Iterator

import numpy as np

from youtu_gguf.calibration.assumptions import DEFAULT, Calibration
from youtu_gguf.decode.resample import Taps, axis_taps, blend, check_maps, check_size, stretch_columns
from youtu_gguf.facts import CLASS_TEMPERATURE
from youtu_gguf.types import F32, Size


class ProbabilityMaps:
    """The softmax at temperature 0.2 of bilinearly upsampled scores.

    Args:
        scores: Grid scores (K, rows, cols), raw logits.
        size: Width and height of the maps, in any frame that the grid spans.
        calibration: How grid values lie on the image.
        step: Take only the middles of squares of so many pixels, the incomplete ones at the right and bottom included;
            rows and maps are then counted in squares.

    Raises:
        InputError: `scores` is not a finite (K, rows, cols), or `size` is empty.
    """

    def __init__(self, scores: F32, size: Size, *, calibration: Calibration = DEFAULT, step: int = 1) -> None:
        check_maps("scores", scores)
        check_size(size)
        self.size = size
        self.n_classes, n_rows, _ = scores.shape
        raised, corners = scores / np.float32(CLASS_TEMPERATURE), calibration.align_corners
        self._wide = stretch_columns(raised, size.width, align_corners=corners, step=step)
        self._taps = axis_taps(n_rows, size.height, align_corners=corners, step=step)

    def rows(self, start: int, stop: int) -> Iterator[F32]:
        """Yield a (stop - start, W) float32 map per class, in order."""
        low, high, weight = self._taps
        taps = Taps(low[start:stop], high[start:stop], weight[start:stop])
        best = blend(self._wide[0], taps)
        for wide in self._wide[1:]:
            np.maximum(best, blend(wide, taps), out=best)
        total = np.zeros_like(best)
        for wide in self._wide:
            total += np.exp(blend(wide, taps) - best)
        for wide in self._wide:
            yield np.exp(blend(wide, taps) - best) / total
