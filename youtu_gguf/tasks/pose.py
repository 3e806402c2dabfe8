"""Persons and their joints."""

import numpy as np

from youtu_gguf import prompts
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.tasks.base import View
from youtu_gguf.types import Issue, Poses


def pose(view: View) -> Poses:
    """Find every person and its joints."""
    text = view.answer(prompts.POSE).text
    found = parse_poses(text, size=view.transform.prepared)
    xy, visibility = found.xyv[..., :2], found.xyv[..., 2:]
    xyv = np.concatenate([view.transform.to_source(xy), visibility], axis=-1)
    issues = found.issues if len(xyv) else (*found.issues, Issue("the answer holds no whole person", 0, len(text)))
    return Poses(xyv, view.transform.to_source(found.boxes), issues=issues)
