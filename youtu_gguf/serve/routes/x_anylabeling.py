"""The protocol of X-AnyLabeling's remote server: a model for each task, and shapes in pixels of the image.

Source: X-AnyLabeling-Server's API schemas and X-AnyLabeling's `remote_server.py`, which reads them. It lives under a
prefix because its `/v1/models` is not OpenAI's: the client's server address is `http://host:port/x-anylabeling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from youtu_gguf.arguments import as_float
from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import Fields, Ignored, wrong
from youtu_gguf.serve.inputs import check_text, find_image, read_json
from youtu_gguf.serve.one_task import Asking, ask_image
from youtu_gguf.serve.prompted import (
    Prompts,
    mask_of_points,
    masks_of_boxes,
    names_in,
    number_groups,
    refuse_negative,
)
from youtu_gguf.serve.schemas import json_body
from youtu_gguf.serve.shapes import Shapes, instance_outlines, known_scores, outlines, persons, rectangles, rings_of
from youtu_gguf.types import Boxes, Instances, Mask, Polygons, Poses, Text

PREFIX = "/x-anylabeling"

UNNAMED = "AUTOLABEL_OBJECT"
"""The label of what has none: the client asks its user for one."""

_FINENESS = 0.001
"""How far an outline may be from its mask, relative to its length, where the client does not say: its default."""

router = APIRouter(prefix=PREFIX, tags=["X-AnyLabeling"])


@dataclass(frozen=True)
class Params:
    """What a request says besides model and image.

    Attributes:
        text: What to look for; "" for anything.
        prompts: Boxes and points that the user drew.
        least: Confidence below which shapes are left out.
        fineness: How far an outline may be from its mask, relative to its length.
    """

    text: str
    prompts: Prompts
    least: float
    fineness: float

    def needed_text(self) -> str:
        """Return the text.

        Raises:
            ApiError: There is none.
        """
        if not self.text:
            raise ApiError(
                400, "invalid_argument", "this model needs a text: say what to look for.", param="text_prompt"
            )
        return self.text

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names in the text; None for anything."""
        return names_in(self.text) or None


@dataclass(frozen=True)
class Offer:
    """A model that the client can choose.

    Attributes:
        name: As it is shown.
        widgets: Controls that the client shows, and their values.
        batch: How the client asks about many images: "default", "text_prompt", or None for not at all.
        ask: Asks a scene; returns shapes and a description of the image.
        replace: Whether the shapes replace what is there; None leaves that to the user.
    """

    name: str
    widgets: Mapping[str, object]
    batch: str | None
    ask: Callable[[Asking, Params], tuple[Shapes, str]]
    replace: bool | None = None

    def unused(self, params: Params) -> list[str]:
        """Return the names of what the user wrote or drew and this model has no control for."""
        given = {"text_prompt": (params.text, "edit_text"), "marks": (params.prompts, "button_add_point")}
        return [f"params.{name}" for name, (value, widget) in given.items() if value and widget not in self.widgets]

    def entry(self) -> dict[str, Any]:
        """Return what the client is told of it."""
        widgets = [{"name": name, "value": value} for name, value in self.widgets.items()]
        return {
            "display_name": self.name,
            "widgets": widgets,
            "params": {},
            "capabilities": {},
            "batch_processing_mode": self.batch,
        }


def _detect(asking: Asking, params: Params) -> tuple[Shapes, str]:
    return rectangles(asking.run(Boxes, "detect", params.classes, scores=True)), ""


def _ground(asking: Asking, params: Params) -> tuple[Shapes, str]:
    return rectangles(asking.run(Boxes, "ground", params.needed_text(), scores=True), params.text), ""


def _instances(asking: Asking, params: Params) -> tuple[Shapes, str]:
    return instance_outlines(asking.run(Instances, "instances", params.classes), params.fineness), ""


def _refer(asking: Asking, params: Params) -> tuple[Shapes, str]:
    masks: list[Mask | None]
    if params.prompts:
        masks = [*masks_of_boxes(asking, params.prompts), mask_of_points(asking, params.prompts)]
    else:
        masks = [asking.run(Mask, "refer", params.needed_text())]
    rings = [(rings_of(mask.bits, params.fineness), mask.score) for mask in masks if mask is not None]
    return outlines(rings, [params.text or UNNAMED] * len(rings)), ""


def _polygon(asking: Asking, params: Params) -> tuple[Shapes, str]:
    found = asking.run(Polygons, "polygon", params.needed_text(), scores=True)
    rings = [(parts, score) for parts, score in zip(found.parts, known_scores(found.scores, len(found)), strict=True)]
    return outlines(rings, [label or params.text for label in found.labels]), ""


def _pose(asking: Asking, _params: Params) -> tuple[Shapes, str]:
    return persons(asking.run(Poses, "pose", scores=True)), ""


def _ocr(asking: Asking, _params: Params) -> tuple[Shapes, str]:
    return [], str(asking.run(Text, "ocr"))


def _describe(asking: Asking, _params: Params) -> tuple[Shapes, str]:
    return [], str(asking.run(Text, "describe"))


_KEEP = {"toggle_preserve_existing_annotations": False}
_CONFIDENCE = {"input_conf": None, "edit_conf": 0.0}
_TEXT = {"edit_text": None, "button_send": None}
_RUN = {"button_run": None}
_OUTLINE = {"mask_fineness_slider": 10, "mask_fineness_value_label": None}
_MARKS = {"button_add_point": None, "button_add_rect": None, "button_clear": None, "button_finish_object": None}

MODELS: Mapping[str, Offer] = {
    "youtu-vl-detect": Offer("Youtu-VL: boxes", {**_RUN, **_TEXT, **_CONFIDENCE, **_KEEP}, "text_prompt", _detect),
    "youtu-vl-ground": Offer("Youtu-VL: box of a phrase", {**_TEXT, **_KEEP}, "text_prompt", _ground),
    "youtu-vl-instances": Offer(
        "Youtu-VL: masks", {**_RUN, **_TEXT, **_CONFIDENCE, **_OUTLINE, **_KEEP}, "text_prompt", _instances
    ),
    "youtu-vl-refer": Offer(
        "Youtu-VL: mask of a point, a box or a phrase", {**_TEXT, **_MARKS, **_OUTLINE}, None, _refer, replace=False
    ),
    "youtu-vl-polygon": Offer("Youtu-VL: outline of a phrase", {**_TEXT, **_KEEP}, "text_prompt", _polygon),
    "youtu-vl-pose": Offer("Youtu-VL: persons and joints", {**_RUN, **_CONFIDENCE, **_KEEP}, "default", _pose),
    "youtu-vl-ocr": Offer("Youtu-VL: read the text", {**_RUN}, "default", _ocr, replace=False),
    "youtu-vl-describe": Offer("Youtu-VL: describe the image", {**_RUN}, "default", _describe, replace=False),
}
"""What the client can choose, by id."""


@router.get("/v1/models")
async def list_models() -> JSONResponse:
    """List what can be asked, with the controls that the client shows for it."""
    return JSONResponse({"success": True, "data": {id_: offer.entry() for id_, offer in MODELS.items()}})


_PREDICT: dict[str, Any] = {
    "type": "object",
    "required": ["model", "image"],
    "properties": {
        "model": {"type": "string", "enum": list(MODELS)},
        "image": {"type": "string", "description": "A data URI, base64, or the id of an image."},
        "params": {
            "type": "object",
            "properties": {
                "text_prompt": {"type": "string", "description": "What to look for."},
                "marks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "data"],
                        "properties": {
                            "type": {"type": "string", "enum": ["point", "rectangle"]},
                            "data": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4},
                            "label": {"type": "integer", "description": "1 for what is meant."},
                        },
                    },
                },
                "conf_threshold": {"type": "number", "minimum": 0, "maximum": 1},
                "epsilon_factor": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
    },
}


@router.post("/v1/predict", openapi_extra=json_body(_PREDICT))
async def predict(request: Request) -> JSONResponse:
    """Return the shapes that a model finds in an image."""
    core, ignored = core_of(request), Ignored()
    body = Fields(await read_json(request), ignored)
    offer = _offer(body.text("model"))
    value = body.take("image")
    given = body.nested("params")
    params = _params(given)
    ignored.add(*offer.unused(params))
    given.ignore_rest()
    body.ignore_rest()
    image = await find_image(core, value)
    shapes, description = await ask_image(request, image, lambda asking: offer.ask(asking, params))
    ignored.tell(Call.of(request))
    kept = [shape for shape in shapes if (shape["score"] or 0.0) >= params.least]
    return JSONResponse({
        "success": True, "data": {"shapes": kept, "description": description, "replace": offer.replace}
    })  # fmt: skip


def _offer(id_: str | None) -> Offer:
    offer = MODELS.get(id_ or "")
    if offer is None:
        raise ApiError(
            404, "model_not_found", f"expected a model among {', '.join(MODELS)}; got {str(id_)[:64]!r}.", param="model"
        )
    return offer


def _params(given: Fields) -> Params:
    return Params(
        check_text(given.text("text_prompt") or "", "params.text_prompt").strip(),
        _prompts(given.array("marks")),
        _share(given, "conf_threshold", 0.0),
        _share(given, "epsilon_factor", _FINENESS),
    )


def _share(given: Fields, name: str, default: float) -> float:
    value = given.take(name)
    share = default if value is None else as_float(value)
    if share is None or not 0 <= share <= 1:
        raise wrong(f"params.{name}", "a number from 0 to 1", value)
    return share


def _prompts(marks: Sequence[Any]) -> Prompts:
    """Return what the user drew: points with x and y, rectangles with two corners, label 1 for what is meant."""
    boxes, points = [], []
    for mark in marks:
        kind, data = (mark.get("type"), mark.get("data")) if isinstance(mark, dict) else (None, None)
        size = {"point": 2, "rectangle": 4}.get(str(kind))
        if size is None or not isinstance(data, list) or len(data) != size:
            raise wrong("params.marks", "points with x, y and rectangles with x1, y1, x2, y2 in data", mark)
        refuse_negative(bool(mark.get("label", 1)), "params.marks")
        (numbers,) = number_groups(data, size, "params.marks")
        if size == 2:  # noqa: PLR2004 - x and y
            points.append(numbers)
        else:
            boxes.append(_ordered(*numbers))
    return Prompts(tuple(boxes), tuple(points)).checked()


def _ordered(x1: float, y1: float, x2: float, y2: float) -> tuple[float, ...]:
    """Return left, top, right, bottom of a rectangle that may have been drawn from any corner."""
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def error_body(error: ApiError, _request_id: str) -> Mapping[str, Any]:
    """Return the body of an error in the client's shape."""
    return {"success": False, "error": {"code": error.code.upper(), "message": error.message}}


DIALECT = Dialect("X-AnyLabeling", router, (PREFIX,), error_body)
