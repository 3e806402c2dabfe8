"""Outlines of one described object."""

from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.tasks.base import View, issues_of, phrase
from youtu_gguf.types import Polygons


def polygon(view: View, description: str) -> Polygons:
    """Outline what `description` describes."""
    words = phrase(description, "the description")
    answer = view.answer(view.wording.polygon.format(words))
    found = parse_polygons(answer.text, default_label=words, size=view.transform.prepared)
    parts = tuple(tuple(view.transform.to_source(ring) for ring in part) for part in found.parts)
    issues = issues_of(answer, found.issues, len(parts), "outline")
    return Polygons(parts, found.labels, item_scores(answer, found.spans), issues=issues)
