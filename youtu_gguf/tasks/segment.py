"""A class for every pixel, from the image tokens' states."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from youtu_gguf.arguments import one_of, switch
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.dense import class_scores, label_map, label_margin
from youtu_gguf.decode.scores import item_scores
from youtu_gguf.engines.base import Vocabulary
from youtu_gguf.errors import InputError
from youtu_gguf.images.zoom import Zoom, checked_tiles, chosen_zoom
from youtu_gguf.refine.labels import choose_method, refined_labels
from youtu_gguf.tasks.base import TaskContext, class_names, placed, spans_of
from youtu_gguf.tasks.boxes import ZOOM
from youtu_gguf.tasks.declaration import Choice, Names, Switch
from youtu_gguf.tasks.tiling import TILES, WHOLE, patches_at
from youtu_gguf.types import F32, Issue, LabelMap, Present, Refine, Spans, handed_over


def segment(
    context: TaskContext,
    classes: Annotated[
        Sequence[str] | None,
        Names("Classes to tell apart; none for all that the model names.", example=("road", "sky")),
    ] = None,
    present: Annotated[
        Present, Choice("Which classes are there: the model says, or all of those given, which is faster.")
    ] = "model",
    background: Annotated[bool, Switch("Pixels may belong to no class.")] = False,
    refine: Annotated[
        Refine,
        Choice(
            "How borders are pulled to the image's edges. auto: by the CRF where it is installed, else by the guided "
            "filter; not with background."
        ),
    ] = "auto",
    zoom: Annotated[Zoom, ZOOM] = 1,
    tiles: Annotated[Sequence[int], TILES] = WHOLE,
) -> LabelMap:
    """Label every pixel with a class.

    The classes are those given, or those that the model names.

    Args:
        context: The scene.
        classes: Names to tell apart; None for whatever the model names.
        present: "model" lets the model say which of them are there, as the reference does; "all" takes exactly
            `classes` and generates nothing.
        background: Whether pixels may belong to none of them.
        refine: "crf", "guided", "none", or "auto": without background the CRF where it is installed, else the guided
            filter; with background none.
        zoom: How much larger the image is prepared before its tokens are scored: from 1 to 4, or "auto" for as much
            as fits, "auto:3" up to 3. The question about classes is asked of the image as it is.
        tiles: Columns and rows of tiles that the prepared image is cut into.
    """
    names = () if classes is None else class_names(classes)
    one_of(Present)("present", present)
    one_of(Refine)("refine", refine)
    switch("background", background)
    if classes is None and present == "all":
        raise InputError('present="all" needs the classes that are there; got none. Name them, or let the model do it.')
    cut = checked_tiles(tiles)
    factor = chosen_zoom(zoom, context.transform.source, context.max_tokens, cut)
    context.require_states("segment")
    method = choose_method(refine, background=background, measured=context.calibration.refine)
    issues: tuple[Issue, ...] = ()
    name_scores: F32 | None = None
    spans: tuple[Spans, ...] | None = None
    if present == "model":
        question = context.wording.segment_all if classes is None else _question(context, names, background)
        answer = context.answer(question)
        found = parse_classes(answer.text)
        issues = placed(found.issues, answer)
        if classes is not None:
            issues = (*issues, *_strangers(found.names, names))
        names, name_scores, spans = found.names, item_scores(answer, found.spans), spans_of(answer, found.spans)
    if not names:
        nothing = np.full((context.transform.source.height, context.transform.source.width), -1, np.int32)
        issues = (*issues, Issue("the answer names no class"))
        return LabelMap(nothing, (), scores=name_scores, spans=spans, issues=issues)
    tokens = class_tokens(context.vocabulary, names, context.calibration.leading_space)
    scores = class_scores(patches_at(context, "", factor, cut), tokens)
    size, calibration = context.transform.source, context.calibration
    margin = None
    if context.scores:
        margin = handed_over(label_margin(scores, size, background=background, calibration=calibration))
    if method == "none" or len(names) == 1:  # one class has no border to refine
        ids = label_map(scores, size, background=background, calibration=calibration)
        return LabelMap(handed_over(ids), names, margin, scores=name_scores, spans=spans, issues=issues)
    ids = refined_labels(scores, context.rgb, method, calibration=calibration)
    return LabelMap(handed_over(ids), names, margin, method, name_scores, spans, issues=issues)


def _question(context: TaskContext, names: Sequence[str], background: bool) -> str:
    final_period = context.calibration.final_period
    return context.wording.segment(names, background=background, final_period=final_period)


def class_tokens(vocabulary: Vocabulary, names: Sequence[str], leading_space: bool) -> list[tuple[int, ...]]:
    """Return the token ids of every class name.

    Raises:
        InputError: A name tokenises to nothing.
    """
    tokens = vocabulary.tokenize_all([f" {name}" if leading_space else name for name in names])
    for name, ids in zip(names, tokens, strict=True):
        if not ids:
            raise InputError(f"a class name must have tokens in the model's vocabulary; {name!r} has none. Rename it.")
    return tokens


def _strangers(found: Sequence[str], asked: Sequence[str]) -> tuple[Issue, ...]:
    return tuple(Issue(f"the answer names {name!r}, which was not asked for") for name in found if name not in asked)
