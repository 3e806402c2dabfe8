"""Tasks over HTTP: one, or several together; answered at once, as a file, or with events while they run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError, as_api_error
from youtu_gguf.serve.events import Event, Failed, Finished, Piece, Progress, Queued
from youtu_gguf.serve.inputs import FORM, JSON, find_image, media_type, parse_json, read_form, read_json
from youtu_gguf.serve.schemas import ERRORS, inlined_schema
from youtu_gguf.serve.streams import EVENT_STREAM, PieceResponse, sse
from youtu_gguf.serve.task_requests import TaskRequest, many_body, read_many, read_task, task_body
from youtu_gguf.serve.task_runs import TaskRuns
from youtu_gguf.serve.values import accepted_form, checked_form, event_json, media_types
from youtu_gguf.tasks import TASKS

if TYPE_CHECKING:
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.types import Result

router = APIRouter(tags=["tasks"], responses=ERRORS)

Handler = Callable[[Request], Awaitable[Response]]

_PARAMS = "params"
"""The field of a form that holds the JSON of a request; the image is a file beside it."""


def _body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a request's body: JSON, or a form with the image as a file."""
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "string", "format": "binary"},
            _PARAMS: {"type": "string", "description": "The JSON of the request, without the image."},
        },
    }
    return {"required": True, "content": {JSON: {"schema": schema}, FORM: {"schema": form}}}


_RESULT = {
    "type": "object",
    "required": ["schema", "id", "request_id", "image", "task", "type", "raw", "finish", "issues", "usage", "timings"],
}

_AS = {
    "name": "as", "in": "query", "required": False, "schema": {"type": "string"},
    "description": "Form of the answer: json, overlay, png, npz, raw, txt, csv, coco, labelme, yolo, panoptic, "
    "label_studio, cvat, index, ros, kitti, tum, pfm, exr or ply, as far as the task's value has it.",
}  # fmt: skip


def _answer_of(kind: type[Result]) -> dict[str, Any]:
    """Return the description of a task's answer."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    files = {media: binary for media in media_types(kind) if media != JSON}
    described = f"A {kind.__name__} as JSON, as a file, or, with `stream`, in events."
    return {"description": described, "content": {JSON: {"schema": _RESULT}, **files, EVENT_STREAM: binary}}


def _task_route(name: str) -> Handler:
    async def run(request: Request) -> Response:
        return await _one(request, name)

    return run


for _name, _task in TASKS.items():
    router.add_api_route(
        f"/v1/tasks/{_name}",
        _task_route(_name),
        methods=["POST"],
        response_class=Response,
        operation_id=f"task_{_name}",
        summary=_task.summary,
        description=_task.help,
        responses={200: _answer_of(_task.value)},
        openapi_extra={"requestBody": _body_of(inlined_schema(task_body(_name))), "parameters": [_AS]},
    )


@router.post("/v1/tasks/{name}", include_in_schema=False)
async def unknown_task(name: str) -> Response:
    """Say which tasks there are."""
    raise ApiError(404, "not_found", f"there is no task {name[:40]!r}; there are: {', '.join(TASKS)}.")


@router.post(
    "/v1/tasks",
    response_class=Response,
    operation_id="tasks",
    openapi_extra={"requestBody": _body_of(inlined_schema(many_body()))},
)
async def several(request: Request) -> Response:
    """Run several tasks on one image together, which costs little more than one."""
    core = core_of(request)
    sent, file = await _read(request)
    asked = read_many(sent)
    runs = TaskRuns(core, await _image(core, asked, file), asked)
    if asked.stream:
        return _stream(request, core, runs, asked)
    return Response(await core.run(request, runs.all, timeout_s=asked.timeout_s), media_type=JSON)


async def _one(request: Request, name: str) -> Response:
    core, kind = core_of(request), TASKS[name].value
    sent, file = await _read(request)
    asked = read_task(name, sent)
    form = _form(request, kind, stream=asked.stream)
    runs = TaskRuns(core, await _image(core, asked, file), asked)
    if asked.stream:
        return _stream(request, core, runs, asked)
    made = await core.run(request, runs.file(form), timeout_s=asked.timeout_s)
    return Response(made.body, headers=dict(made.headers), media_type=made.media_type)


def _form(request: Request, kind: type[Result], *, stream: bool) -> str:
    """Return the form of an answer: by name, else by what is accepted."""
    name = request.query_params.get("as")
    if stream:
        if name not in (None, "json"):
            raise ApiError(400, "invalid_argument", "a stream has JSON alone. Ask /v1/results for files.", param="as")
        return "json"
    return checked_form(name, kind) if name else accepted_form(request.headers.get("accept", ""), kind)


async def _read(request: Request) -> tuple[dict[str, Any], bytes | None]:
    """Return the object that a request sends, and the image of a form.

    Raises:
        ApiError: It is neither JSON nor a form.
    """
    if media_type(request) != FORM:
        return await read_json(request), None
    form = await read_form(request)
    sent = parse_json(form.fields.get(_PARAMS, "{}"), _PARAMS)
    file = form.files.get("image")
    if file is None and "image" not in form.fields:
        raise ApiError(400, "image_required", "expected a file named image in the form; got none.", param="image")
    return {**sent, "image": form.fields.get("image", "")}, file


async def _image(core: Core, asked: TaskRequest, file: bytes | None) -> StoredImage:
    if file is None:
        return await find_image(core, asked.image)
    image, _ = await core.images.add(file)
    return image


def _stream(request: Request, core: Core, runs: TaskRuns, asked: TaskRequest) -> PieceResponse:
    events = core.start(request, runs.told, timeout_s=asked.timeout_s)
    return PieceResponse(_told(events, Call.of(request).id))


async def _told(events: AsyncGenerator[Event, None], request_id: str) -> AsyncGenerator[bytes, None]:
    """Yield what happens as server-sent events; the last one is "done", whatever happened."""
    try:
        async with contextlib.aclosing(events):
            async for chunk in _chunks(events):
                yield chunk
    except ApiError as error:
        yield sse(event_json({"error": error.body(), "request_id": request_id}), "error")
    yield sse({}, "done")


async def _chunks(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        match event:
            case Queued(position, eta_s):
                yield sse({"position": position, "eta_s": round(eta_s, 2)}, "queued")
            case Progress(index, stage, done, total):
                yield sse({"index": index, "stage": stage, "done": done, "total": total}, "progress")
            case Piece(index, text):
                yield sse(event_json({"index": index, "text": text}), "piece")
            case Finished(_, str(text)):
                yield sse(text, "result")
            case Failed(index, error):
                yield sse(event_json({"index": index, "error": as_api_error(error).body()}), "error")


DIALECT = Dialect("tasks", router, (), own_error_body)
