"""LocalAI's routes for detection and depth; its chat is OpenAI's.

Source: LocalAI's documentation of `/v1/detection` and its request and answer schemas. x and y are the **top left
corner** of a box, points are triples x, y, label and boxes are corners, all in pixels of the image.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.arguments import as_float
from youtu_gguf.output.index_png import mask_png
from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.models import listed_id, task_of
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.depth_json import camera, depth_numbers, depth_png16, point_fields
from youtu_gguf.serve.dialects import Dialect
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import Fields, Ignored, unsupported, wrong
from youtu_gguf.serve.inputs import check_text, find_image, read_json
from youtu_gguf.serve.one_task import Asking, ask_image, confidences
from youtu_gguf.serve.prompted import (
    Prompts,
    mask_of_points,
    masks_of_boxes,
    names_in,
    number_groups,
    refuse_negative,
)
from youtu_gguf.types import F32, Bits, Boxes, DepthMap, Instances, Mask

if TYPE_CHECKING:
    from youtu_gguf.scene.scene import Scene

router = APIRouter(tags=["LocalAI"])

Found = list[dict[str, Any]]

_UNKNOWN_MAPS = ("include_confidence", "include_sky", "points_conf_thresh")
"""Maps of other models: what LocalAI itself leaves out for a model that has none."""


def _schema(**properties: object) -> dict[str, Any]:
    schema = {"type": "object", "required": ["image"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_TEXT, _FLAG, _NUMBERS = {"type": "string"}, {"type": "boolean"}, {"type": "array", "items": {"type": "number"}}


@router.post(
    "/v1/detection",
    openapi_extra=_schema(
        model=_TEXT, image=_TEXT, prompt=_TEXT, points=_NUMBERS, boxes=_NUMBERS, threshold={"type": "number"}
    ),
)
async def detection(request: Request) -> JSONResponse:
    """Detect objects; with a prompt, points or boxes, mask what they name.

    Without any of these, everything is detected, without masks. A prompt names classes, such as "car, person", which
    are masked; the model `youtu-vl:detect` only detects them. Each box gets a mask of its own, all points together one.
    """
    core, ignored = core_of(request), Ignored()
    body = Fields(await read_json(request), ignored)
    task = _task(core, body)
    value, prompt = body.take("image"), check_text(body.text("prompt") or "", "prompt")
    prompts = _prompts(body)
    least = _threshold(body)
    body.ignore_rest()
    image = await find_image(core, value)
    found = await ask_image(request, image, _detecting(task, prompt, prompts))
    ignored.tell(Call.of(request))
    return JSONResponse({"detections": [item for item in found if item["confidence"] >= least]})


def _prompts(body: Fields) -> Prompts:
    points = []
    for x, y, label in number_groups(body.array("points"), 3, "points"):
        refuse_negative(label > 0, "points")
        points.append((x, y))
    return Prompts(tuple(number_groups(body.array("boxes"), 4, "boxes")), tuple(points)).checked()


def _threshold(body: Fields) -> float:
    value = body.take("threshold")
    least = 0.0 if value is None else as_float(value)
    if least is None or not 0 <= least <= 1:
        raise wrong("threshold", "a number from 0 to 1", value)
    return least


def _task(core: Core, body: Fields) -> str | None:
    """Return the task whose model a request names; None for the model itself, or none."""
    name, facts = body.text("model"), core.holder.facts
    return task_of(facts, listed_id(facts, name)) if name else None


def _detecting(task: str | None, prompt: str, prompts: Prompts) -> Callable[[Asking], Found]:
    """Return what is asked of the scene."""
    names = names_in(prompt) or None
    if task in (None, "refer") and prompts:
        return lambda asking: _masked(asking, prompts, prompt)
    if prompts or task not in (None, "detect", "instances"):
        raise unsupported("model", "is that of a task that gives no such detections")
    if task == "instances" or (task is None and names):
        return lambda asking: _instances(asking.run(Instances, "instances", names))
    return lambda asking: _boxes(asking.run(Boxes, "detect", names, scores=True))


def _boxes(boxes: Boxes) -> Found:
    rows = zip(boxes.xyxy, boxes.labels, confidences(boxes.scores), strict=True)
    return [_item(xyxy, label, score) for xyxy, label, score in rows]


def _instances(found: Instances) -> Found:
    rows = zip(found.xyxy, found.labels, confidences(found.scores), found.masks, strict=True)
    return [_item(xyxy, label, score, bits) for xyxy, label, score, bits in rows]


def _masked(asking: Asking, prompts: Prompts, name: str) -> Found:
    """Return the masks of what is pointed at; one that is empty is left out: it has no box."""
    masks: list[Mask | None] = [*masks_of_boxes(asking, prompts), mask_of_points(asking, prompts)]
    return [
        _item(mask.xyxy, name, round(mask.score or 0.0, 4), mask.bits)
        for mask in masks
        if mask is not None and mask.xyxy is not None
    ]


def _item(xyxy: F32, label: str, score: float, bits: Bits | None = None) -> dict[str, Any]:
    left, top, right, bottom = (round(number, 2) for number in xyxy.tolist())
    box = {"x": left, "y": top, "width": round(right - left, 2), "height": round(bottom - top, 2)}
    mask = {} if bits is None else {"mask": base64.b64encode(mask_png(bits)).decode()}
    return {**box, "class_name": label, "confidence": score, **mask}


@router.post(
    "/v1/depth",
    openapi_extra=_schema(
        model=_TEXT, image=_TEXT, include_depth=_FLAG, include_pose=_FLAG, include_points=_FLAG,
        include_confidence=_FLAG, include_sky=_FLAG,
    ),
)  # fmt: skip
async def depth(request: Request) -> Response:
    """Estimate the distance of every pixel, in metres where the image's file tells of a focal length.

    With the header `Accept-Depth: png16` the distances are a PNG file in base64, `depth_png16`, a level of which is
    `depth_scale`, instead of numbers: a tenth of the bytes.
    """
    core, ignored = core_of(request), Ignored()
    body = Fields(await read_json(request), ignored)
    if _task(core, body) not in (None, "depth"):
        raise unsupported("model", "is that of another task than depth")
    value = body.take("image")
    body.refuse(("exports", "dst"))
    wanted = {name: body.flag(f"include_{name}", default=False) for name in ("depth", "pose", "points")}
    others = [name for name in _UNKNOWN_MAPS if body.take(name)]
    ignored.add(*others)
    body.ignore_rest()
    if not any(wanted.values()):
        if others:
            raise unsupported(others[0], "asks for a map that this model does not make, and no other is asked for")
        wanted["depth"] = True
    as_png = request.headers.get("accept-depth", "").strip().lower() == "png16"
    image = await find_image(core, value)

    def ask(asking: Asking) -> bytes:
        found = asking.run(DepthMap, "depth")
        if found.focal_px is None and wanted["points"]:
            raise ApiError(
                400, "unsupported_parameter",
                "include_points needs a focal length, and the image's file tells of none. Send a file with EXIF data.",
                param="include_points",
            )  # fmt: skip
        if found.focal_px is None and wanted["pose"]:
            ignored.add("include_pose")
        return _depth_body(found, asking.scene, wanted, as_png=as_png)

    answer = await ask_image(request, image, ask)
    ignored.tell(Call.of(request))
    return Response(answer, media_type="application/json")


def _depth_body(depth: DepthMap, scene: Scene, wanted: Mapping[str, bool], *, as_png: bool) -> bytes:
    width, height = scene.size
    plain: dict[str, Any] = {"width": width, "height": height, "is_metric": depth.unit == "m"}
    if (wanted["pose"] or wanted["points"]) and depth.focal_px is not None:
        plain |= camera(depth)
    if wanted["depth"] and as_png:
        plain |= depth_png16(depth)
    fields = [(name, json.dumps(value).encode()) for name, value in plain.items()]
    if wanted["depth"] and not as_png:
        fields.append(("depth", depth_numbers(depth)))
    if wanted["points"]:
        fields += point_fields(depth, scene.rgb)
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields) + b"}"


def error_body(error: ApiError, _request_id: str) -> Mapping[str, Any]:
    """Return the body of an error in LocalAI's shape, whose code is the HTTP status."""
    return {"error": {"code": error.status, "message": error.message, "type": error.type}}


DIALECT = Dialect("LocalAI", router, ("/v1/detection", "/v1/depth"), error_body)
