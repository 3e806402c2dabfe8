"""Class probabilities in one step, as the report states them, to hold the package's strips against."""

import numpy as np

from youtu_gguf.types import F32


def class_probabilities(scores: F32) -> F32:
    """Return the softmax of `scores` (K, ...) over the classes at temperature 0.2, same shape."""
    raised = np.exp((scores - scores.max(axis=0)) / np.float32(0.2))
    probabilities: F32 = raised / raised.sum(axis=0)
    return probabilities
