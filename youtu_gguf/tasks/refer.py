"""The mask of one object: find its box, enlarge its surroundings, and tell foreground from background there.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 6).

The box is the one that the model grounds the phrase to, as the report says. The public demo takes the extent of the
outline that the model draws instead. On 600 phrases of 300 drawn scenes, asked of nano (scripts/nano/recipes.py), the
grounded box had a mean IoU of 0.885 with the true one, and the extent 0.778.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np

from youtu_gguf.arguments import one_of
from youtu_gguf.decode.polygons import fill_outlines
from youtu_gguf.errors import InputError
from youtu_gguf.facts import COORDINATE_TOKENS, CROP_SIZE, PADDING
from youtu_gguf.images.crop import check_knobs
from youtu_gguf.refine.labels import choose_method
from youtu_gguf.tasks.base import TaskContext, find_tokens, thing
from youtu_gguf.tasks.boxes import ground
from youtu_gguf.tasks.core_target import core_target, core_tokens, has_pixels
from youtu_gguf.tasks.declaration import Choice, Option, Phrase
from youtu_gguf.tasks.pointing import Pixel, checked_point, connected_part, detect_everything, smallest_box
from youtu_gguf.tasks.polygon import polygon
from youtu_gguf.tasks.segment import segment
from youtu_gguf.tasks.typed import read_box, read_crop_size, read_padding, read_point
from youtu_gguf.types import Box, FoundBy, Issue, Mask, ReferBy, Refine, handed_over, placed_spans

CROP_SIZE_OPTION = Option(
    "Short side of the enlarged crop that the model sees, in pixels; smaller is faster.",
    read_crop_size,
    "PIXELS",
    example="160",
)
PADDING_OPTION = Option("Sides of that crop relative to those of the box.", read_padding, "FACTOR", example="1.5")
REFINE_MASK = Choice(
    "How a mask's border is pulled to the image's edges. auto: by the CRF where it is installed, else by the guided "
    "filter."
)


def refer(
    context: TaskContext,
    phrase: Annotated[
        str | None, Phrase("What to mask; or give a box or a point.", example="the left cup", rule=thing)
    ] = None,
    box: Annotated[
        Sequence[float] | None,
        Option(
            "Mask what is in this box, in pixels of the image.",
            read_box,
            "LEFT TOP RIGHT BOTTOM",
            example="10 10 60 50",
        ),
    ] = None,
    crop_size: Annotated[int, CROP_SIZE_OPTION] = CROP_SIZE,
    padding: Annotated[float, PADDING_OPTION] = PADDING,
    by: Annotated[
        ReferBy,
        Choice("Tell pixels apart by their states, or fill the outline that the model draws: coarser, on any engine."),
    ] = "states",
    refine: Annotated[Refine, REFINE_MASK] = "auto",
    point: Annotated[
        Sequence[float] | None,
        Option("Mask the object at this point, in pixels of the image.", read_point, "X Y", example="30 40"),
    ] = None,
) -> Mask:
    """Mask what is described, in a box or at a point.

    Args:
        context: The scene.
        phrase: What to mask; exactly one of this, `box` and `point` is given.
        box: Left, top, right, bottom in source pixels; nothing is generated then.
        crop_size: Short side of the enlarged crop.
        padding: Sides of the surroundings relative to those of the box.
        by: "states" of the image tokens, or "polygon": fill the outline that the model draws, on any engine.
        refine: "crf", "guided", "none", or "auto": the CRF where it is installed, else the guided filter; an outline is
            not refined.
        point: x and y in source pixels. The smallest box around it is taken of everything that is detected, once for
            all points. Where there is none, the image is segmented, and the mask is the connected part of the class.
    """
    one_of(ReferBy)("by", by)
    given = [name for name, value in (("a phrase", phrase), ("a box", box), ("a point", point)) if value is not None]
    if len(given) != 1:
        raise InputError(f"refer needs one of a phrase, a box and a point; got {' and '.join(given) or 'none'}.")
    at = None if point is None else checked_point(point, context.transform.source)
    check_knobs(crop_size, padding)
    one_of(Refine)("refine", refine)
    if by == "polygon":
        if refine in ("crf", "guided"):
            raise InputError(f'an outline is not refined; got by="polygon" and refine={refine!r}. Leave one out.')
        return _filled(context, phrase, given[0])
    context.require_states('refer, but for refer(..., by="polygon"),')
    method = choose_method(refine, background=False, measured=context.calibration.refine)
    tokens = core_tokens(context.vocabulary, "refer")
    issues: tuple[Issue, ...] = ()
    found_by: FoundBy = "box" if phrase is None else "phrase"
    found: Box | None = None
    if phrase is not None:
        found, issues = _grounded(context, phrase)
    elif at is not None:
        find_tokens(context.vocabulary, COORDINATE_TOKENS, "refer")
        detected = detect_everything(context)
        issues, found = detected.issues, smallest_box(detected, at, context.transform.source)
        if found is None:
            return _part(context, at, refine, issues)
    bits = np.zeros(context.rgb.shape[:2], np.bool_)
    corners = box if found is None else found.xyxy.tolist()
    if corners is None:
        return Mask(bits, 0.0, found_by=found_by, issues=issues)
    target = core_target(context, tokens, corners, crop_size, padding, method)
    target.paste(bits)
    if not target.bits.any():
        issues = (*issues, Issue("nothing in the box stands out from the background"))
    spans = None if found is None else found.spans
    return Mask(handed_over(bits), target.score, method, found_by, spans, issues=issues)


def _part(context: TaskContext, at: Pixel, refine: Refine, issues: tuple[Issue, ...]) -> Mask:
    """Return the part of the class at a pixel that is connected with it."""
    nothing = Mask(np.zeros(context.rgb.shape[:2], np.bool_), found_by="segment")
    if context.stopped:
        return replace(nothing, issues=(*issues, Issue("ended before the image was segmented")))
    labels = segment(context, refine=refine)
    issues = (*issues, *labels.issues)
    index = labels.ids[at.y, at.x]
    if index < 0:
        return replace(nothing, issues=(*issues, Issue("no class was found at the point")))
    bits = handed_over(connected_part(labels.ids == index, at))
    spans = None if labels.spans is None else labels.spans[index]
    return Mask(bits, None, labels.refined_by, "segment", spans, issues=issues)


def _filled(context: TaskContext, description: str | None, given: str) -> Mask:
    """Return the inside of the outline of what is described, with the confidence of its tokens where it is wanted."""
    if description is None:
        raise InputError(f'refer by="polygon" needs a phrase; got {given}. The model outlines what a phrase describes.')
    found = polygon(context, description)
    score = None if found.scores is None or not len(found) else float(found.scores.mean())
    bits = fill_outlines(found.parts, context.transform.source)
    spans = placed_spans(span for each in found.spans or () for span in each) or None
    return Mask(bits, score, found_by="phrase", spans=spans, issues=found.issues)


def _grounded(context: TaskContext, description: str) -> tuple[Box | None, tuple[Issue, ...]]:
    """Return the first box with pixels of the image inside, or None, and what was wrong with the answer."""
    find_tokens(context.vocabulary, COORDINATE_TOKENS, "refer")
    found = ground(context, description)
    usable = np.flatnonzero(has_pixels(found.xyxy, context.transform.source))
    issues = found.issues
    if len(found) > 1:
        issues = (*issues, Issue(f"expected one box; the answer holds {len(found)}, the first usable one is taken"))
    return (found[usable[0]] if usable.size else None), issues
