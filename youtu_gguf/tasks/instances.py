"""Every object with a mask of its own: name what is there, detect it, and mask one after the other.

Source: Youtu-VL report (arXiv 2601.19798), appendix A.1, and the public demo of its repository (facts: dense maps, 7).
The demo paints the masks into one image of classes; here each stays with its box. Detecting everything at once, instead
of the classes named, is an addition of this package.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np

from youtu_gguf.arguments import as_int, one_of, short_repr
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.merge import distinct_boxes
from youtu_gguf.errors import CancelledError, InputError
from youtu_gguf.facts import CROP_SIZE, MOST_INSTANCES, PADDING
from youtu_gguf.images.crop import check_knobs
from youtu_gguf.refine.labels import choose_method
from youtu_gguf.tasks.base import TaskContext, class_names, placed
from youtu_gguf.tasks.boxes import CLASSES, detect
from youtu_gguf.tasks.core_target import CoreTarget, core_target, core_tokens, has_pixels
from youtu_gguf.tasks.declaration import Choice, Option
from youtu_gguf.tasks.refer import CROP_SIZE_OPTION, PADDING_OPTION, REFINE_MASK
from youtu_gguf.tasks.typed import read_limit
from youtu_gguf.types import F32, Boxes, Find, Finish, Instances, Issue, Refine, handed_over

_NOT_ENDED: Finish = "none"


def instances(
    context: TaskContext,
    classes: Annotated[Sequence[str] | None, CLASSES] = None,
    limit: Annotated[
        int, Option("Objects at most, the largest first.", read_limit, "NUMBER", example="2")
    ] = MOST_INSTANCES,
    crop_size: Annotated[int, CROP_SIZE_OPTION] = CROP_SIZE,
    padding: Annotated[float, PADDING_OPTION] = PADDING,
    find: Annotated[
        Find, Choice("Without classes: detect those that the model names, or everything at once.")
    ] = "names",
    refine: Annotated[Refine, REFINE_MASK] = "auto",
) -> Instances:
    """Mask every object of some classes, or of any.

    Args:
        context: The scene.
        classes: Names to find.
        limit: Objects at most, the largest boxes first.
        crop_size: Short side of the enlarged crop of each.
        padding: Sides of its surroundings relative to those of its box.
        find: How objects are found without `classes`: "names" has the model name the classes that are there and detects
            these; "everything" detects all objects at once, which is a question less.
        refine: As for `refer`.

    An object in whose box nothing stands out keeps its place, with an empty mask, score 0 and an issue: what was
    detected is there for the caller to judge.
    """
    most = as_int(limit)
    if most is None or most < 1:
        raise InputError(f"limit must be a whole number of objects, at least 1; got {short_repr(limit)}.")
    check_knobs(crop_size, padding)
    one_of(Find)("find", find)
    one_of(Refine)("refine", refine)
    if classes is not None and find == "everything":
        raise InputError('find="everything" takes no classes; leave one of the two out.')
    names = None if classes is None else class_names(classes)
    context.require_states("instances")
    method = choose_method(refine, background=False, measured=context.calibration.refine)
    tokens = core_tokens(context.vocabulary, "instances")
    issues: tuple[Issue, ...] = ()
    if names is None and find == "names":
        names, issues = _named(context)
        if not names or context.stopped:
            return _nothing(context, issues)
    found = detect(context, names)
    chosen, dropped = _largest(context, found, most)
    target_of = partial(core_target, context, tokens, size=crop_size, padding=padding, method=method)
    masked = _masked(context, found, chosen, target_of, [*issues, *found.issues, *dropped])
    return replace(masked, refined_by=method)


def _named(context: TaskContext) -> tuple[tuple[str, ...], tuple[Issue, ...]]:
    """Return the classes that the model sees, and what was wrong with its answer."""
    answer = context.answer(context.wording.segment_all)
    found = parse_classes(answer.text)
    issues = found.issues if found.names else (*found.issues, Issue("the answer names no class", 0, len(answer.text)))
    return found.names, placed(issues, answer)


def _largest(context: TaskContext, found: Boxes, limit: int) -> tuple[list[int], list[Issue]]:
    """Return the boxes to mask, the largest first, and the issues about the others."""
    order = distinct_boxes(found.xyxy, found.labels)
    usable = order[has_pixels(found.xyxy, context.transform.source)[order]]
    dropped = (
        (len(found) - len(order), "found twice are left out"),
        (len(order) - len(usable), "without pixels of the image are left out"),
        (
            len(usable) - limit,
            f"beyond the limit of {short_repr(limit)} are left out, the smallest; raise limit for them",
        ),
    )
    return usable[:limit].tolist(), [Issue(f"{n} box(es) {what}") for n, what in dropped if n > 0]


def _masked(
    context: TaskContext,
    found: Boxes,
    chosen: Sequence[int],
    target_of: Callable[[Sequence[float]], CoreTarget],
    issues: list[Issue],
) -> Instances:
    """Mask the `chosen` boxes one by one until the run is to end; `issues` are those found before."""
    masks = np.zeros(
        (len(chosen), *context.rgb.shape[:2]), np.bool_
    )  # the only copy there is: thirty may take a gigabyte
    scores: F32 = np.zeros(len(chosen), np.float32)
    done, finish = 0, _NOT_ENDED
    for index in chosen:
        finish = context.stopped or _NOT_ENDED
        if finish != _NOT_ENDED:
            issues.append(Issue(f"ended after {done} of {len(chosen)} objects"))
            break
        context.report("instances", done, len(chosen))
        try:
            target = target_of(found.xyxy[index].tolist())
        except CancelledError as exc:
            finish = exc.finish
            issues.append(Issue(f"ended after {done} of {len(chosen)} objects"))
            break
        target.paste(masks[done])
        scores[done] = target.score
        if not target.bits.any():
            issues.append(Issue(f"nothing in box {done} ({found.labels[index]}) stands out from the background"))
        done += 1
    context.report("instances", done, len(chosen))
    handed_over(masks)
    labels = tuple(found.labels[index] for index in chosen[:done])
    xyxy = found.xyxy[list(chosen[:done])]
    spans = None if found.spans is None else tuple(found.spans[index] for index in chosen[:done])
    return Instances(masks[:done], xyxy, labels, scores[:done], spans=spans, issues=tuple(issues), finish=finish)


def _nothing(context: TaskContext, issues: tuple[Issue, ...]) -> Instances:
    """Return no instances, where no class was named or the run is to end."""
    stopped = context.stopped
    if stopped:
        issues = (*issues, Issue("ended before any object was looked for"))
    masks, none = np.zeros((0, *context.rgb.shape[:2]), np.bool_), np.zeros(0, np.float32)
    return Instances(masks, none.reshape(0, 4), (), none, issues=issues, finish=stopped or _NOT_ENDED)
