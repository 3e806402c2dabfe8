"""What a labelling setup asks of an image: objects for its labels, or a mask of what people point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from youtu_gguf.arguments import as_float
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.label_studio import Region
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import wrong
from youtu_gguf.serve.label_studio.regions import (
    box_regions,
    instance_regions,
    joint_label,
    joint_regions,
    mask_regions,
)
from youtu_gguf.serve.label_studio.setup import Control
from youtu_gguf.serve.prompted import Prompts, mask_of_points, masks_of_boxes, refuse_negative, united
from youtu_gguf.types import Boxes, Instances, Poses, Result, Size

if TYPE_CHECKING:
    from youtu_gguf.serve.one_task import Asking

_MASK_KINDS = ("brushlabels", "polygonlabels", "rectanglelabels")
"""Controls that a mask can be drawn with, the best first."""

_PERCENT = 100


def drawn(controls: Sequence[Control]) -> list[Control]:
    """Return the controls that are drawn with unasked.

    Those that people point with are left out where their image has others.
    """
    plain = {control.to_name for control in controls if not control.smart}
    return [control for control in controls if control.labels and not (control.smart and control.to_name in plain)]


def label_image(asking: Asking, controls: Sequence[Control]) -> list[Region]:
    """Return the regions of all controls. What several of them need is asked once, and everything together."""
    asked = {control: _question(control) for control in controls}
    questions = list(dict.fromkeys(question for question in asked.values() if question is not None))
    values = asking.scene.many(questions, scores=True, cancel=asking.job.cancel)
    for (task, *_), value in zip(questions, values, strict=True):
        asking.job.note(str(task), value)
    results = dict(zip(questions, values, strict=True))
    return [
        region
        for control, question in asked.items()
        if question is not None
        for region in _regions(control, results[question], asking.scene.size)
    ]


def _question(control: Control) -> tuple[object, ...] | None:
    """Return the task that finds a control's labels, and its argument; None where no task does."""
    names = tuple(control.labels)
    if control.kind == "keypointlabels":
        return ("pose",) if any(joint_label(control, joint) for joint in MPII_JOINTS) else None
    return ("detect", names) if control.kind == "rectanglelabels" else ("instances", names)


def _regions(control: Control, found: Result, size: Size) -> list[Region]:
    match found:
        case Boxes():
            return box_regions(control, found, size)
        case Poses():
            return joint_regions(control, found, size)
        case Instances():
            return instance_regions(control, found, size)
    raise AssertionError(f"no control asks for a {type(found).__name__}")


@dataclass(frozen=True)
class Pointed:
    """What people pointed at.

    Attributes:
        control: What its mask is drawn with.
        label: The label that they chose.
        boxes: Left, top, right, bottom in shares of the image's sides.
        points: x, y likewise.
    """

    control: Control
    label: str
    boxes: tuple[tuple[float, float, float, float], ...]
    points: tuple[tuple[float, float], ...]

    def mask(self, asking: Asking) -> list[Region]:
        """Return the mask of all that was pointed at as regions."""
        size = asking.scene.size
        width, height = size
        boxes = tuple((x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in self.boxes)
        prompts = Prompts(boxes, tuple((x * width, y * height) for x, y in self.points))
        point_mask = mask_of_points(asking, prompts)
        found = united(masks_of_boxes(asking, prompts) + ([] if point_mask is None else [point_mask]))
        return [] if found is None else mask_regions(self.control, found.bits, self.label, found.score, size)


def pointed_at(controls: Sequence[Control], context: Sequence[Any]) -> Pointed:
    """Return what the regions of a request's context point at: keypoints and rectangles of one image.

    Raises:
        ApiError: They are something else, or the setup has no control that masks can be drawn with.
    """
    boxes, points = [], []
    for region in context:
        value = region.get("value") if isinstance(region, dict) else None
        if not isinstance(value, dict) or region.get("type") not in ("keypointlabels", "rectanglelabels"):
            raise wrong("params.context.result", "keypoints and rectangles", region)
        if region.get("image_rotation") or value.get("rotation"):
            raise wrong("params.context.result", "an image and a rectangle that are not rotated", region)
        refuse_negative(bool(region.get("is_positive", True)), "params.context.result")
        x, y = _share(value, "x"), _share(value, "y")
        if region["type"] == "keypointlabels":
            points.append((x, y))
        else:
            boxes.append((x, y, x + _share(value, "width"), y + _share(value, "height")))
    Prompts(tuple(boxes), tuple(points)).checked()
    control = _control_for(controls, str(context[0].get("to_name", "")))
    return Pointed(control, _label(control, context[0]), tuple(boxes), tuple(points))


def _control_for(controls: Sequence[Control], to_name: str) -> Control:
    fitting = [c for kind in _MASK_KINDS for c in controls if c.kind == kind and c.to_name == to_name]
    fitting.sort(key=lambda control: control.kind == "rectanglelabels" and control.smart)
    if not fitting:
        raise ApiError(
            400, "invalid_argument",
            f"expected BrushLabels, PolygonLabels or RectangleLabels for the image {to_name[:64]!r}; the setup has "
            "none. Add one.",
            param="label_config",
        )  # fmt: skip
    return fitting[0]


def _label(control: Control, region: dict[str, Any]) -> str:
    """Return the label of the region that was drawn, if the control has it, else the control's first."""
    drawn_with = region["value"].get(region["type"])
    known = list(control.labels.values())
    if isinstance(drawn_with, list) and drawn_with and drawn_with[0] in known:
        return str(drawn_with[0])
    if not known:
        raise ApiError(
            400, "invalid_argument", f"the control {control.name[:64]!r} has no labels. Add one.", param="label_config"
        )
    return known[0]


def _share(value: dict[str, Any], name: str) -> float:
    """Return a percentage of a region as a share."""
    number = as_float(value.get(name))
    if number is None or not 0 <= number <= _PERCENT:
        raise wrong(f"params.context.result.{name}", "a number from 0 to 100", value.get(name))
    return number / _PERCENT
