"""The mask of one object: find its box, enlarge its surroundings, and tell foreground from background there.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 6).

The box is the one that the model grounds the phrase to, as the report says. The public demo takes the extent of the
outline that the model draws instead. On 600 phrases of 300 drawn scenes, asked of nano (scripts/nano/recipes.py), the
grounded box had a mean IoU of 0.885 with the true one, and the extent 0.778.
"""

from collections.abc import Sequence
from typing import get_args

import numpy as np

from youtu_gguf.decode.fill import fill_outlines
from youtu_gguf.errors import InputError
from youtu_gguf.facts import COORDINATE_TOKENS, CROP_SIZE, PADDING
from youtu_gguf.images.crop import check_knobs
from youtu_gguf.refine.labels import choose_method
from youtu_gguf.tasks.base import TaskContext, check_choice, find_tokens
from youtu_gguf.tasks.boxes import ground
from youtu_gguf.tasks.core_target import core_target, core_tokens, has_pixels
from youtu_gguf.tasks.polygon import polygon
from youtu_gguf.types import Issue, Mask, ReferBy, Refine


def refer(
    context: TaskContext,
    description: str | None = None,
    box: Sequence[float] | None = None,
    crop_size: int = CROP_SIZE,
    padding: float = PADDING,
    by: ReferBy = "states",
    refine: Refine = "auto",
) -> Mask:
    """Mask what `description` describes, or what is in `box`.

    Args:
        context: The scene.
        description: What to mask; exactly one of this and `box` is given.
        box: Left, top, right, bottom in source pixels; nothing is generated then.
        crop_size: Short side of the enlarged picture.
        padding: Sides of the surroundings relative to those of the box.
        by: "states" of the image tokens, or "polygon": fill the outline that the model draws, on any engine.
        refine: "crf", "guided", "none", or "auto": the CRF where it is installed, else the guided filter; an outline is
            not refined.
    """
    check_choice("by", by, get_args(ReferBy))
    if (description is None) == (box is None):
        raise InputError("refer needs a phrase or a box, and not both; got " + ("neither." if box is None else "both."))
    check_knobs(crop_size, padding)
    check_choice("refine", refine, get_args(Refine))
    if by == "polygon":
        if refine in ("crf", "guided"):
            raise InputError(f'an outline is not refined; got by="polygon" and refine={refine!r}. Leave one out.')
        return _filled(context, description)
    context.require_states('refer, but for refer(..., by="polygon"),')
    method = choose_method(refine, background=False, measured=context.calibration.refine)
    tokens = core_tokens(context.vocabulary, "refer")
    issues: tuple[Issue, ...] = ()
    if description is not None:
        box, issues = _grounded(context, description)
    bits = np.zeros(context.rgb.shape[:2], np.bool_)
    if box is None:
        return Mask(bits, 0.0, issues=issues)
    target = core_target(context, tokens, box, crop_size, padding, method)
    target.paste(bits)
    if not target.bits.any():
        issues = (*issues, Issue("nothing in the box is told from the background"))
    return Mask(bits, target.score, method, issues=issues)


def _filled(context: TaskContext, description: str | None) -> Mask:
    """Return the inside of the outline of what is described, with the confidence of its tokens where it is wanted."""
    if description is None:
        raise InputError(
            'refer by="polygon" needs a phrase; got a box. The model outlines what it is told of in words.'
        )
    found = polygon(context, description)
    score = None if found.scores is None or not len(found) else float(found.scores.mean())
    return Mask(fill_outlines(found.parts, context.transform.source), score, issues=found.issues)


def _grounded(context: TaskContext, description: str) -> tuple[Sequence[float] | None, tuple[Issue, ...]]:
    """Return the first box with pixels of the image inside, or None, and what was wrong with the answer."""
    find_tokens(context.vocabulary, COORDINATE_TOKENS, "refer")
    found = ground(context, description)
    usable = np.flatnonzero(has_pixels(found.xyxy, context.transform.source))
    issues = found.issues
    if len(found) > 1:
        issues = (*issues, Issue(f"expected one box; the answer holds {len(found)}, the first usable one is taken"))
    return (found.xyxy[usable[0]].tolist() if usable.size else None), issues
