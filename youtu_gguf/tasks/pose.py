"""Persons and their joints."""

from typing import Annotated

import numpy as np

from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.images.zoom import Zoom
from youtu_gguf.tasks.base import TaskContext, at_zoom, issues_of, spans_of
from youtu_gguf.tasks.boxes import ZOOM
from youtu_gguf.types import Poses


def pose(context: TaskContext, zoom: Annotated[Zoom, ZOOM] = 1) -> Poses:
    """Find all persons and their joints."""
    with at_zoom(context, zoom) as closer:
        answer, transform = closer.answer(context.wording.pose), closer.transform
    found = parse_poses(answer.text, size=transform.prepared)
    xy, visibility = found.xyv[..., :2], found.xyv[..., 2:]
    xyv = np.concatenate([transform.to_source(xy), visibility], axis=-1)
    issues = issues_of(answer, found.issues, len(xyv), "person")
    scores = item_scores(answer, found.spans)
    spans = spans_of(answer, found.spans)
    return Poses(xyv, transform.to_source(found.boxes), scores=scores, spans=spans, issues=issues)
