"""Persons and their joints."""

import numpy as np

from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.tasks.base import View, issues_of
from youtu_gguf.types import Poses


def pose(view: View) -> Poses:
    """Find every person and its joints."""
    answer = view.answer(view.wording.pose)
    found = parse_poses(answer.text, size=view.transform.prepared)
    xy, visibility = found.xyv[..., :2], found.xyv[..., 2:]
    xyv = np.concatenate([view.transform.to_source(xy), visibility], axis=-1)
    issues = issues_of(answer, found.issues, len(xyv), "person")
    scores = item_scores(answer, found.spans)
    return Poses(xyv, view.transform.to_source(found.boxes), scores=scores, issues=issues)
