"""Tasks whose answer is boxes: grounding one phrase, and detecting classes."""

from collections.abc import Sequence

from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.tasks.base import View, class_names, issues_of, phrase
from youtu_gguf.types import Boxes


def ground(view: View, description: str) -> Boxes:
    """Find the region that `description` describes."""
    words = phrase(description, "the description")
    return _boxes(view, view.wording.ground.format(words), default_label=words)


def detect(view: View, classes: Sequence[str] | None = None) -> Boxes:
    """Find every object of `classes`, or of any class when None."""
    names = None if classes is None else class_names(classes)
    only = names[0] if names is not None and len(names) == 1 else ""
    return _boxes(view, view.wording.detect(names), default_label=only)


def _boxes(view: View, question: str, default_label: str) -> Boxes:
    answer = view.answer(question)
    found = parse_boxes(answer.text, default_label=default_label, size=view.transform.prepared)
    issues = issues_of(answer, found.issues, len(found.labels), "box")
    scores = item_scores(answer, found.spans)
    return Boxes(view.transform.to_source(found.xyxy), found.labels, scores, issues=issues)
