"""Tasks whose answer is boxes: grounding one phrase, and detecting classes, at one scale or several."""

from collections.abc import Sequence
from typing import Annotated, cast

import numpy as np

from youtu_gguf.arguments import as_float, short_repr
from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.merge import distinct_boxes
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.errors import InputError
from youtu_gguf.images.zoom import Zoom, listed
from youtu_gguf.tasks.base import TaskContext, class_names, issues_of, spans_of, thing, written_zoom
from youtu_gguf.tasks.declaration import Names, Option, Phrase
from youtu_gguf.tasks.typed import read_zoom, read_zooms
from youtu_gguf.types import F32, Boxes, Finish, Issue, Spans

_ENLARGED = (
    "Show the image this many times as large, 1 to 4, or auto for as large as fits, auto:3 up to 3: small things are "
    "seen better."
)
ZOOM = Option(_ENLARGED, read_zoom, "ZOOM", example="1.5")
ZOOMS = Option(f"{_ENLARGED} Of several, such as 1,2, the answers are merged.", read_zooms, "ZOOM,...", example="1,1.5")
CLASSES = Names("Classes to find; none for everything.", example=("car", "person"))


def ground(
    context: TaskContext,
    description: Annotated[str, Phrase("What to find.", example="the left cup", rule=thing)],
    zoom: Annotated[Zoom, ZOOM] = 1,
) -> Boxes:
    """Find the box of what a phrase describes."""
    words = thing(description, "the description")
    return _boxes(context, context.wording.ground.format(words), words, written_zoom(context, zoom))


def detect(
    context: TaskContext,
    classes: Annotated[Sequence[str] | None, CLASSES] = None,
    zoom: Annotated[Zoom | Sequence[Zoom], ZOOMS] = 1,
) -> Boxes:
    """Find all objects of some classes, or of any.

    Args:
        context: The scene.
        classes: Names to find.
        zoom: How many times as large the image is shown, or several of these: their answers are merged, of boxes that
            overlap the largest remaining, and come with the largest first (facts: dense maps, 8). A model gains where
            things are smaller than those it was trained on, and loses where they become larger: nano at zoom 2 goes
            from AP50 0.13 to 0.73 on scenes of half its size, and from 0.72 to 0.01 on those of its own; merging both
            gives 0.51 and 0.69 (300 scenes, scripts/nano/recipes.py).
    """
    names = None if classes is None else class_names(classes)
    only = names[0] if names is not None and len(names) == 1 else ""
    question = context.wording.detect(names)
    if isinstance(zoom, str) or as_float(zoom) is not None:
        return _boxes(context, question, only, written_zoom(context, cast("Zoom", zoom)))
    scales = _distinct_scales(context, zoom)
    found: list[Boxes] = []
    for scale in scales:
        if context.stopped and found:
            break
        found.append(_boxes(context, question, only, scale))
    return _merged(found, len(scales), context.stopped or "none")


def _boxes(context: TaskContext, question: str, default_label: str, zoom: float) -> Boxes:
    with context.zoomed(zoom) as closer:
        answer, transform = closer.answer(question), closer.transform
    found = parse_boxes(answer.text, default_label=default_label, size=transform.prepared)
    issues = issues_of(answer, found.issues, len(found.labels), "box")
    scores = item_scores(answer, found.spans)
    spans = spans_of(answer, found.spans)
    return Boxes(transform.to_source(found.xyxy), found.labels, scores, spans, issues=issues)


def _distinct_scales(context: TaskContext, zooms: object) -> list[float]:
    """Return the zooms to use, each once: "auto" may be one of the others, and several may be lowered to one.

    Raises:
        InputError: There are none, or one cannot be used.
    """
    several = cast("list[Zoom]", listed(zooms))
    if not several:
        raise InputError(f'zoom must be a number, "auto", or a list of these; got {short_repr(zooms)}.')
    return list(dict.fromkeys(written_zoom(context, zoom) for zoom in several))


def _merged(found: Sequence[Boxes], n_scales: int, stopped: Finish) -> Boxes:
    """Return the boxes of all scales without those found at several."""
    xyxy = np.concatenate([boxes.xyxy for boxes in found])
    labels = [label for boxes in found for label in boxes.labels]
    kept = distinct_boxes(xyxy, labels)
    scores = None
    if any(boxes.scores is not None for boxes in found):
        scores = np.concatenate([_scores_or_nan(boxes) for boxes in found])[kept]
    issues = [issue for boxes in found for issue in boxes.issues]
    finish: Finish = "none"
    if len(found) < n_scales:
        finish = stopped
        issues.append(Issue(f"ended after {len(found)} of {n_scales} scales"))
    spans: list[Spans] = [each for boxes in found for each in boxes.spans or ((),) * len(boxes)]
    written = tuple(spans[i] for i in kept)
    return Boxes(xyxy[kept], tuple(labels[i] for i in kept), scores, written, issues=tuple(issues), finish=finish)


def _scores_or_nan(boxes: Boxes) -> F32:
    unknown: F32 = np.full(len(boxes), np.nan, np.float32)
    return unknown if boxes.scores is None else boxes.scores
