"""Objects and persons as the values of the package supervision, which tracks, filters and draws them."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from youtu_gguf.errors import CapabilityError
from youtu_gguf.types.arrays import F32, Bits

if TYPE_CHECKING:
    from supervision import Detections, KeyPoints

_KEY_POINTS = ("keypoint_confidence", "detection_confidence", "visible")  # parameters; named so since 0.29


def to_detections(xyxy: F32, labels: Sequence[str], scores: F32 | None, masks: Bits | None = None) -> "Detections":
    """Return `supervision.Detections`: scores as confidences, names as `data["class_name"]`.

    Class ids count the names in the order in which they first appear. Arrays are copies, which may be written to.

    Raises:
        CapabilityError: supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as exc:
        raise _missing(exc) from exc
    ids = {name: i for i, name in enumerate(dict.fromkeys(labels))}
    return Detections(
        xyxy=xyxy.copy(),
        mask=None if masks is None else masks.copy(),
        confidence=None if scores is None else scores.copy(),
        class_id=np.array([ids[name] for name in labels], np.int64),
        data={"class_name": np.array(labels, np.str_)},
    )


def to_key_points(xyv: F32, boxes: F32, scores: F32 | None) -> "KeyPoints":
    """Return persons (n, 16, 3) as `supervision.KeyPoints`, of the one class 0, "person".

    A joint that is missing lies at 0, 0 and is not `visible`. `keypoint_confidence` is how well a joint is seen, NaN
    where the answer gives a place alone, and None where it does so for all. The boxes (n, 4) are `data["xyxy"]`.

    Raises:
        CapabilityError: supervision is not installed, or older than 0.29.
    """
    try:
        from supervision import KeyPoints
    except ImportError as exc:
        raise _missing(exc) from exc
    known = inspect.signature(KeyPoints).parameters
    if not set(_KEY_POINTS) <= known.keys():
        raise CapabilityError(
            f"expected supervision with {', '.join(_KEY_POINTS)} of KeyPoints; got an older one. Update it: "
            'pip install "supervision>=0.29"'
        )
    seen = xyv[..., 2]
    visible = np.isnan(seen) | (seen > 0)
    return KeyPoints(
        xy=np.where(visible[..., None], xyv[..., :2], np.float32(0)),
        class_id=np.zeros(len(xyv), np.int64),
        keypoint_confidence=None if np.isnan(seen[visible]).all() else seen.copy(),
        detection_confidence=None if scores is None else scores.copy(),
        visible=visible,
        data={"class_name": np.full(len(xyv), "person"), "xyxy": boxes.copy()},
    )


def _missing(exc: ImportError) -> CapabilityError:
    return CapabilityError(
        f"expected the package supervision for its values; got: {exc}. Install it: pip install supervision"
    )
