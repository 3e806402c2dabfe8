"""Results that were given before, as files; and requests in progress, to be ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from youtu_gguf.decode.depth import MAX_FOCAL_PX
from youtu_gguf.output.camera import with_focal
from youtu_gguf.output.json import MaskForm
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.file_names import LONGEST_NAME, SAVED, attachment, file_name
from youtu_gguf.serve.schemas import ERRORS
from youtu_gguf.serve.task_requests import MapForm, Output
from youtu_gguf.serve.values import accepted_form, answer_file, checked_form, needs_pixels

router = APIRouter(tags=["results"], responses=ERRORS)

_AS = {
    "name": "as", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "json, overlay (the drawing), png (distances, classes or objects as grey levels), npz, raw (the "
    "numbers of a map, little-endian), txt, csv, coco, labelme, yolo and panoptic (.zip), label_studio, cvat (XML), "
    "index (classes or objects as levels with a palette), ros, kitti, tum (distances in metres as levels by their "
    "factors), pfm, exr or ply (points in space), as far as the value has it. Without it, `Accept` decides.",
}  # fmt: skip

_Name = Annotated[
    str,
    Query(max_length=LONGEST_NAME, description="File name of the image, for files that state it and for their names."),
]
_Label = Annotated[
    str, Query(max_length=LONGEST_NAME, description="Label of a mask in files, in place of what was asked for.")
]
_Step = Annotated[int, Query(ge=1, le=64, description="ply: every how many pixels there is a point.")]
_Focal = Annotated[
    Annotated[float, Field(gt=0, le=MAX_FOCAL_PX)] | Literal["assumed"] | None,
    Query(
        description="ply: the image's focal length in pixels, where none is known; or assumed, for that of a "
        "telephone's camera. The file states which."
    ),
]


@router.get("/v1/results/{id}", response_class=Response, openapi_extra={"parameters": [_AS]})
async def get_result(
    request: Request,
    id: str,  # noqa: A002
    masks: MaskForm = "rle",
    map: MapForm = "none",  # noqa: A002
    name: _Name = "",
    label: _Label = "",
    step: _Step = 1,
    focal_px: _Focal = None,
) -> Response:
    """Give a result again, in any of its forms. It is kept for a while after its last use."""
    core = core_of(request)
    result = core.results.get(id)
    kind, chosen = type(result.value), request.query_params.get("as")
    form = checked_form(chosen, kind) if chosen else accepted_form(request.headers.get("accept", ""), kind)
    rgb = await asyncio.to_thread(core.images.get(result.image).pixels) if needs_pixels(form) else None
    told = result.source
    known = told if told.focal_px is not None else with_focal(told, focal_px)
    source = replace(known, rgb=rgb, name=name or told.name, label=label or told.label)
    made = await asyncio.to_thread(answer_file, result, form, source, Output(masks=masks, map=map), step=step)
    named = attachment(file_name(name, result.task, form, kind)) if name or form in SAVED else {}
    return Response(made.body, headers={**made.headers, **named}, media_type=made.media_type)


@router.delete("/v1/requests/{id}", status_code=202)
async def cancel_request(request: Request, id: str) -> JSONResponse:  # noqa: A002
    """End a request that waits or runs, for clients whose hang-up does not arrive here.

    Its own answer is what there is by then, with `finish` "cancelled", or an error.
    """
    if not core_of(request).jobs.cancel(id):
        raise ApiError(404, "request_not_found", f"there is no request {id[:64]!r} in progress.")
    return JSONResponse({"request_id": id, "cancelled": True}, 202)


DIALECT = Dialect("results", router, (), own_error_body)
