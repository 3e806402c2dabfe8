"""Objects as the detections of the package supervision, which tracks, filters and draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from youtu_gguf.errors import CapabilityError
from youtu_gguf.types.arrays import F32, Bits

if TYPE_CHECKING:
    from supervision import Detections


def to_detections(xyxy: F32, labels: Sequence[str], scores: F32 | None, masks: Bits | None = None) -> "Detections":
    """Return `supervision.Detections`: scores as confidences, names as `data["class_name"]`.

    Class ids count the names in the order in which they first appear. Arrays are copies, which may be written to.

    Raises:
        CapabilityError: supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as exc:
        raise CapabilityError(
            f"expected the package supervision for its detections; got: {exc}. Install it: pip install supervision"
        ) from exc
    ids = {name: i for i, name in enumerate(dict.fromkeys(labels))}
    return Detections(
        xyxy=xyxy.copy(),
        mask=None if masks is None else masks.copy(),
        confidence=None if scores is None else scores.copy(),
        class_id=np.array([ids[name] for name in labels], np.int64),
        data={"class_name": np.array(labels, np.str_)},
    )
