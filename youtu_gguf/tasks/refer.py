"""The mask of one object: find its box, enlarge its surroundings, and tell foreground from background there.

Source: Youtu-VL report (arXiv 2601.19798), sections 2.2, A.1.5 and A.1.7 (facts: dense maps, 6). The reference asks
`Wording.core` of the enlarged picture, and its answer says which number of the mask is the foreground. Image tokens see
nothing of a question that follows them: their scores are there without it, and tell which is which.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from youtu_gguf.crop import CROP_SIZE, PADDING, check_knobs, make_crop
from youtu_gguf.decode.dense import class_scores
from youtu_gguf.decode.fill import fill_outlines
from youtu_gguf.decode.foreground import foreground
from youtu_gguf.engines.base import Vocabulary
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.tasks.base import COORDINATE_TOKENS, View, find_tokens
from youtu_gguf.tasks.boxes import ground
from youtu_gguf.tasks.polygon import polygon
from youtu_gguf.types import Issue, Mask

BACKGROUND, FOREGROUND = "<BG>", "<FG>"

By = Literal["states", "polygon"]


def refer(
    view: View,
    description: str | None = None,
    box: Sequence[float] | None = None,
    crop_size: int = CROP_SIZE,
    padding: float = PADDING,
    by: By = "states",
) -> Mask:
    """Mask what `description` describes, or what is in `box`.

    Args:
        view: The scene.
        description: What to mask; exactly one of this and `box` is given.
        box: Left, top, right, bottom in source pixels; nothing is generated then.
        crop_size: Short side of the enlarged picture.
        padding: Sides of the surroundings relative to those of the box.
        by: "states" of the image tokens, or "polygon": fill the outline that the model draws, on any engine.
    """
    if by not in get_args(By):
        raise InputError(f"by must be one of {', '.join(get_args(By))}; got {by!r}.")
    if (description is None) == (box is None):
        raise InputError("refer needs a phrase or a box, and not both; got " + ("neither." if box is None else "both."))
    check_knobs(crop_size, padding)
    if by == "polygon":
        return _filled(view, description)
    view.require_states('refer, but for refer(..., by="polygon"),')
    tokens = [_tag_tokens(view.vocabulary, tag) for tag in (BACKGROUND, FOREGROUND)]
    issues: tuple[Issue, ...] = ()
    if description is not None:
        box, issues = _grounded(view, description)
    bits = np.zeros(view.rgb.shape[:2], np.bool_)
    if box is None:
        return Mask(bits, 0.0, issues=issues)
    crop, region = make_crop(view.rgb, box, crop_size=crop_size, padding=padding)
    with view.open_crop(crop) as closer:
        scores = class_scores(closer.patches(), tokens)
    part, score = foreground(scores, region.size, calibration=view.calibration)
    bits[region.top : region.bottom, region.left : region.right] = part
    if not part.any():
        issues = (*issues, Issue("nothing in the box is told from the background"))
    return Mask(bits, score, issues=issues)


def _filled(view: View, description: str | None) -> Mask:
    """Return the inside of the outline of what is described, with the confidence of its tokens where it is wanted."""
    if description is None:
        raise InputError(
            'refer by="polygon" needs a phrase; got a box. The model outlines what it is told of in words.'
        )
    found = polygon(view, description)
    score = None if found.scores is None or not len(found) else float(found.scores.mean())
    return Mask(fill_outlines(found.parts, view.transform.source), score, issues=found.issues)


def _grounded(view: View, description: str) -> tuple[Sequence[float] | None, tuple[Issue, ...]]:
    """Return the first box with pixels of the image inside, or None, and what was wrong with the answer."""
    find_tokens(view.vocabulary, COORDINATE_TOKENS, "refer")
    found = ground(view, description)
    width, height = view.transform.source
    clipped = np.minimum(found.xyxy, [width, height, width, height])  # answers hold no negative numbers
    usable = np.flatnonzero((clipped[:, :2] < clipped[:, 2:]).all(axis=1))
    issues = found.issues
    if len(found) > 1:
        issues = (*issues, Issue(f"expected one box; the answer holds {len(found)}, the first usable one is taken"))
    return (found.xyxy[usable[0]].tolist() if usable.size else None), issues


def _tag_tokens(vocabulary: Vocabulary, tag: str) -> tuple[int, ...]:
    """Return the token of `tag`, or its pieces where it is none: which tags are single tokens is not published.

    Raises:
        ModelFileError: The vocabulary has neither.
    """
    token = vocabulary.token_id(tag)
    ids = vocabulary.tokenize(tag) if token is None else (token,)
    if not ids:
        raise ModelFileError(
            f"refer needs the tag {tag}; this model's vocabulary cannot write it. "
            "Use a GGUF converted from Youtu-VL-4B-Instruct."
        )
    return ids
