"""Outlines of one described object."""

from typing import Annotated

from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.images.zoom import Zoom
from youtu_gguf.tasks.base import TaskContext, at_zoom, issues_of, spans_of, thing
from youtu_gguf.tasks.boxes import ZOOM
from youtu_gguf.tasks.declaration import Phrase
from youtu_gguf.types import Polygons


def polygon(
    context: TaskContext,
    description: Annotated[str, Phrase("What to outline.", example="the left cup", rule=thing)],
    zoom: Annotated[Zoom, ZOOM] = 1,
) -> Polygons:
    """Outline what a phrase describes."""
    words = thing(description, "the description")
    with at_zoom(context, zoom) as closer:
        answer, transform = closer.answer(context.wording.polygon.format(words)), closer.transform
    found = parse_polygons(answer.text, default_label=words, size=transform.prepared)
    parts = tuple(tuple(transform.to_source(ring) for ring in part) for part in found.parts)
    issues = issues_of(answer, found.issues, len(parts), "outline")
    scores = item_scores(answer, found.spans)
    return Polygons(parts, found.labels, scores, spans_of(answer, found.spans), issues=issues)
