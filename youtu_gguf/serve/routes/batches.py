"""Many images by the same questions: sent one by one, asked when nothing else is to be done, taken as one data set."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response

from youtu_gguf.serve.batch_files import MEDIA, BatchForm, BatchResults
from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.inputs import FORM, JSON, media_type, read_bytes, read_form, read_image, read_json
from youtu_gguf.serve.schemas import ERRORS, inlined_schema
from youtu_gguf.serve.streams import EVENT_STREAM, PieceResponse, sse
from youtu_gguf.serve.task_requests import MAX_TASKS, batch_body, read_batch
from youtu_gguf.serve.values import event_json

if TYPE_CHECKING:
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.image_batch import ImageBatch

router = APIRouter(tags=["batches"], responses=ERRORS)

_ACTIONS = ("end", "stop", "retry")

_BINARY = {"type": "string", "format": "binary"}
_IMAGE = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "description": "Id of an image, a data URI, base64, or a URL."},
        "name": {"type": "string", "description": "What the image is called in the results."},
    },
}
_FORM = {"type": "object", "required": ["image"], "properties": {"image": _BINARY, "name": {"type": "string"}}}
_ACTION = {
    "type": "object",
    "required": ["action"],
    "additionalProperties": False,
    "properties": {"action": {"type": "string", "enum": [*_ACTIONS]}},
}


def _body(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": one} for kind, one in content.items()}}}


@router.post("/v1/batches", status_code=201, openapi_extra=_body({JSON: inlined_schema(batch_body())}))
async def begin_batch(request: Request) -> JSONResponse:
    """Begin a batch: the same tasks for all images that are added to it."""
    core = core_of(request)
    asked = read_batch(await read_json(request))
    batch = await core.batches.begin(Call.of(request).client, asked)
    return JSONResponse(_form(batch), 201)


@router.get("/v1/batches")
async def list_batches(request: Request) -> JSONResponse:
    """List the batches that are kept."""
    batches = core_of(request).batches
    batches.expire()
    return JSONResponse({"batches": [_form(batch) for batch in batches]})


@router.get("/v1/batches/{id}")
async def get_batch(request: Request, id: str) -> JSONResponse:  # noqa: A002
    """Tell of a batch and of each of its images."""
    batch = core_of(request).batches.get(id)
    return JSONResponse({**_form(batch), "images": [row.form() for row in batch.rows]})


@router.delete("/v1/batches/{id}", status_code=204)
async def delete_batch(request: Request, id: str) -> Response:  # noqa: A002
    """Stop a batch, and forget it with its results."""
    batches = core_of(request).batches
    batches.forget(batches.get(id))
    return Response(status_code=204)


@router.post("/v1/batches/{id}", openapi_extra=_body({JSON: _ACTION}))
async def act_on_batch(request: Request, id: str) -> JSONResponse:  # noqa: A002
    """End, stop or retry a batch.

    `end` says that no more images come. `stop` ends the work and keeps what is finished. `retry` asks again the images
    that have errors, and resumes a batch that was stopped.
    """
    core = core_of(request)
    sent = await read_json(request)
    action = sent.get("action")
    if action not in _ACTIONS or len(sent) > 1:
        message = f'expected {{"action": ...}} with one of {", ".join(_ACTIONS)}.'
        raise ApiError(400, "invalid_argument", message, param="action")
    batch = core.batches.get(id)
    match action:
        case "end":
            batch.end()
        case "stop":
            batch.stop()
        case _:
            batch.retry()
    return JSONResponse(_form(batch))


@router.post(
    "/v1/batches/{id}/images",
    status_code=201,
    responses={200: {"description": "It was there already."}},
    openapi_extra=_body({"image/*": _BINARY, FORM: _FORM, JSON: _IMAGE}),
)
async def add_image(
    request: Request,
    id: str,  # noqa: A002
    name: Annotated[str | None, Query(description="What the image is called in the results.")] = None,
) -> JSONResponse:
    """Add an image. The same bytes under the same name are added once. One that cannot be used is listed as failed."""
    core = core_of(request)
    sent_name, data = await _sent(core, request)
    batch = core.batches.get(id)
    chosen = name or sent_name or f"image-{len(batch.rows) + 1}"
    row, is_new = await core.batches.add(batch, chosen, data)
    return JSONResponse(row.form(), 201 if is_new else 200)


async def _sent(core: Core, request: Request) -> tuple[str | None, bytes]:
    """Return the name that a request gives in its body, and the file of the image."""
    kind = media_type(request)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return None, await read_bytes(request)
    if kind == FORM:
        form = await read_form(request)
        if "image" not in form.files:
            message = "expected a file named image in the form; got none."
            raise ApiError(400, "image_required", message, param="image")
        return form.fields.get("name"), form.files["image"]
    if kind != JSON:
        expected = f"expected Content-Type: image/..., {FORM} or {JSON}; got {kind[:80] or 'none'}."
        raise ApiError(415, "unsupported_media_type", expected)
    sent = await read_json(request)
    unknown = sorted(sent.keys() - {"image", "name"})
    if unknown:
        message = f"unknown argument {unknown[0][:80]}. Known here: image, name."
        raise ApiError(400, "invalid_argument", message, param=unknown[0][:80])
    name = sent.get("name")
    if name is not None and not isinstance(name, str):
        raise ApiError(400, "invalid_argument", f"name must be a text; got {type(name).__name__}.", param="name")
    return name, await read_image(core, sent.get("image"))


@router.get("/v1/batches/{id}/images/{index}")
async def get_image(request: Request, id: str, index: int) -> Response:  # noqa: A002
    """Give the results of one image: its line of as=jsonl, or what is known of it before it is finished."""
    batch = core_of(request).batches.get(id)
    if not 0 <= index < len(batch.rows):
        raise ApiError(404, "image_not_found", f"there is no image {index} in this batch of {len(batch.rows)}.")
    row = batch.rows[index]
    if row.line is None:
        return JSONResponse(row.form())
    return Response(await asyncio.to_thread(BatchResults.of(batch, [index]).lines), media_type=JSON)


@router.get(
    "/v1/batches/{id}/events",
    response_class=Response,
    responses={200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}}},
)
async def watch_batch(
    request: Request,
    id: str,  # noqa: A002
    first: Annotated[int, Query(alias="from", ge=0, description="Finished images that are known already.")] = 0,
) -> PieceResponse:
    """Tell of each image that is finished, from the first on, until the batch has ended. Hanging up ends nothing."""
    return PieceResponse(_news(core_of(request).batches.get(id), first))


async def _news(batch: ImageBatch, n_told: int) -> AsyncGenerator[bytes, None]:
    told: dict[str, Any] = {}
    while True:
        news = batch.news
        while n_told < len(batch.finished):
            row = batch.rows[batch.finished[n_told]]
            n_told += 1
            yield sse(event_json(row.form()), "image")
        form = batch.form()
        if form != told:
            told = form
            yield sse(event_json(form), "progress")
        if batch.is_quiet:
            break
        if news is batch.news:
            await news.wait()
    yield sse({}, "done")


@router.get("/v1/batches/{id}/results", response_class=Response)
async def get_results(
    request: Request,
    id: str,  # noqa: A002
    form: Annotated[
        BatchForm,
        Query(alias="as", description="Lines of JSON, a data set for COCO, YOLO or LabelMe, a table, or all."),
    ] = "jsonl",
    task: Annotated[
        int | None, Query(ge=0, lt=MAX_TASKS, description="The results of one task alone, by its place from 0.")
    ] = None,
) -> Response:
    """Give what is finished, also while the batch is running."""
    batch = core_of(request).batches.get(id)
    if task is not None and (form == "zip" or task >= len(batch.request.questions)):
        message = f"task must be the place of one of {len(batch.request.questions)} tasks, from 0; an archive has all."
        raise ApiError(400, "invalid_argument", message, param="task")
    results = BatchResults.of(batch)
    media, name = MEDIA[form]
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    path = batch.folder / f"{uuid.uuid4().hex}.part"
    try:
        await asyncio.to_thread(results.write, path, form, task)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    after = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, headers=headers, media_type=media, background=after)


def _form(batch: ImageBatch) -> dict[str, Any]:
    until = datetime.fromtimestamp(batch.expires_at, UTC).isoformat(timespec="seconds")
    return {**batch.form(), "expires_at": until}


DIALECT = Dialect("batches", router, (), own_error_body)
