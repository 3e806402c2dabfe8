"""How many there are of something: the number the model says, or the boxes it finds."""

from typing import Annotated

import numpy as np

from youtu_gguf.arguments import one_of
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.decode.scores import item_score
from youtu_gguf.facts import COORDINATE_TOKENS
from youtu_gguf.tasks.base import TaskContext, placed, thing
from youtu_gguf.tasks.boxes import detect
from youtu_gguf.tasks.declaration import Choice, Phrase
from youtu_gguf.types import F32, Boxes, Count, CountBy, Issue, placed_spans


def count(
    context: TaskContext,
    what: Annotated[str, Phrase("What to count.", example="dog", metavar="WHAT", rule=thing)],
    by: Annotated[
        CountBy,
        Choice("Ask for the number, or detect the objects and count their boxes, which are then part of the value."),
    ] = "answer",
) -> Count:
    """Count the objects of some kind.

    Args:
        context: The scene.
        what: Their name; by detection best as a class is named, in the singular.
        by: "answer" asks for the number; "detection" detects the class and counts its boxes.
    """
    one_of(CountBy)("by", by)
    words = thing(what, "what to count")
    if by == "detection":
        return _detected(context, words)
    answer = context.answer(context.wording.count.format(words))
    found = parse_count(answer.text)
    spans = placed_spans(found.spans, answer.offset) or None
    return Count(found.value, item_score(answer, found.spans), spans=spans, issues=placed(found.issues, answer))


def _detected(context: TaskContext, name: str) -> Count:
    """Count the boxes called `name`, in any case; a box that the answer gives no name has this one.

    Boxes of other names, which were not asked for, are left out with an issue. No box at all is a count of 0, with the
    issue that detecting has for it.
    """
    context.require_tokens(COORDINATE_TOKENS, "count by detection")
    found = detect(context, [name])
    wanted = [label.casefold() == name.casefold() for label in found.labels]
    kept = np.flatnonzero(wanted)
    strangers = dict.fromkeys(label for label, known in zip(found.labels, wanted, strict=True) if not known)
    issues = (
        *found.issues,
        *(Issue(f"boxes of {label!r}, which was not asked for, are not counted") for label in strangers),
    )
    scores = None if found.scores is None else found.scores[kept]
    spans = None if found.spans is None else tuple(found.spans[i] for i in kept)
    boxes = Boxes(found.xyxy[kept], tuple(found.labels[i] for i in kept), scores, spans)
    return Count(len(boxes), _mean(scores), boxes, issues=issues)


def _mean(scores: F32 | None) -> float | None:
    """Return the mean of the scores that are known; None where there are none."""
    known = np.zeros(0) if scores is None else scores[np.isfinite(scores)]
    return float(known.mean()) if known.size else None
