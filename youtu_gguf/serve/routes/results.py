"""Results that were given before, as files; and requests in progress, to be ended."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.output import Source
from youtu_gguf.output.json import MaskForm
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.results import StoredResult
from youtu_gguf.serve.schemas import ERRORS
from youtu_gguf.serve.task_requests import MapForm, Output
from youtu_gguf.serve.values import OVERLAY, accepted_form, answer_file, checked_form

router = APIRouter(tags=["results"], responses=ERRORS)

_AS = {
    "name": "as", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "json, overlay (the drawing), png (distances, classes or objects as grey levels), npz, raw (the "
    "numbers of a map, little-endian) or txt, as far as the value has it. Without it, `Accept` decides.",
}  # fmt: skip


@router.get("/v1/results/{id}", response_class=Response, openapi_extra={"parameters": [_AS]})
async def get_result(request: Request, id: str, masks: MaskForm = "rle", map: MapForm = "none") -> Response:  # noqa: A002
    """Give a result again, in any of its forms. It is kept for a while after its last use."""
    core = core_of(request)
    result = core.results.get(id)
    kind, chosen = type(result.value), request.query_params.get("as")
    form = checked_form(chosen, kind) if chosen else accepted_form(request.headers.get("accept", ""), kind)
    source = await _source(core, result) if form == OVERLAY else Source()
    made = await asyncio.to_thread(answer_file, result, form, source, Output(masks=masks, map=map))
    return Response(made.body, headers=dict(made.headers), media_type=made.media_type)


async def _source(core: Core, result: StoredResult) -> Source:
    image = core.images.get(result.image)
    return Source(await asyncio.to_thread(image.pixels))


@router.delete("/v1/requests/{id}", status_code=202)
async def cancel_request(request: Request, id: str) -> JSONResponse:  # noqa: A002
    """End a request that waits or runs, for clients whose hang-up does not arrive here.

    Its own answer is what there is by then, with `finish` "cancelled", or an error.
    """
    if not core_of(request).jobs.cancel(id):
        raise ApiError(404, "request_not_found", f"there is no request {id[:64]!r} in progress.")
    return JSONResponse({"request_id": id, "cancelled": True}, 202)


DIALECT = Dialect("results", router, (), own_error_body)
