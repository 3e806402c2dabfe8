"""Label Studio's protocol for ML backends: labels drawn in advance, and masks of what people point at.

Source: HumanSignal/label-studio-ml-backend, `label_studio_ml/api.py`. The backend's address is
`http://host:port/label-studio`. Nothing is trained: there is no `/train` and no `/webhook`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from youtu_gguf.output.label_studio import prediction
from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import Fields, Ignored, wrong
from youtu_gguf.serve.images import StoredImage
from youtu_gguf.serve.inputs import read_json
from youtu_gguf.serve.jobs import Job
from youtu_gguf.serve.label_studio.asked import drawn, label_image, pointed_at
from youtu_gguf.serve.label_studio.pictures import task_image
from youtu_gguf.serve.label_studio.setup import Control, read_setup
from youtu_gguf.serve.one_task import Asking, ask_image
from youtu_gguf.serve.schemas import json_body
from youtu_gguf.version import __version__

PREFIX = "/label-studio"

VERSION = f"youtu-vl, youtu_gguf {__version__}"
"""What Label Studio groups predictions by."""

router = APIRouter(prefix=PREFIX, tags=["Label Studio"])


@router.get("")
@router.get("/")
@router.get("/health")
async def health() -> dict[str, str]:
    """Answer while the process lives."""
    return {"status": "UP", "model_class": "YoutuVL"}


_SETUP: dict[str, Any] = {
    "type": "object",
    "properties": {
        "project": {"type": "string"},
        "schema": {"type": "string", "description": "The labelling setup, in XML."},
    },
}
_PREDICT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {"type": "object", "required": ["data"], "properties": {"data": {"type": "object"}}},
        },
        "label_config": {"type": "string", "description": "The labelling setup, in XML."},
        "params": {
            "type": "object",
            "properties": {
                "context": {
                    "type": "object",
                    "properties": {"result": {"type": "array", "items": {"type": "object"}}},
                }
            },
        },
    },
}


@router.post("/setup", openapi_extra=json_body(_SETUP))
async def setup(request: Request) -> JSONResponse:
    """Check that a project's labelling setup can be read."""
    ignored = Ignored()
    body = Fields(await read_json(request), ignored)
    read_setup(body.text("schema") or "<View/>")
    body.ignore_rest()
    ignored.tell(Call.of(request))
    return JSONResponse({"model_version": VERSION})


@router.post("/predict", openapi_extra=json_body(_PREDICT))
async def predict(request: Request) -> JSONResponse:
    """Return a prediction for each task; for a task with a context, the mask of what is pointed at."""
    core, ignored = core_of(request), Ignored()
    body = Fields(await read_json(request), ignored)
    tasks = body.array("tasks")
    controls = read_setup(body.text("label_config") or "<View/>")
    params = body.nested("params")
    context = params.nested("context")
    pointers = context.array("result")
    for fields in (context, params, body):
        fields.ignore_rest()
    results = await (_masked if pointers else _labelled)(request, core, tasks, controls, pointers)
    ignored.tell(Call.of(request))
    return JSONResponse({"results": results})


async def _masked(
    request: Request, core: Core, tasks: Sequence[Any], controls: Sequence[Control], pointers: Sequence[Any]
) -> list[dict[str, Any]]:
    pointed = pointed_at(controls, pointers)
    if len(tasks) != 1:
        raise wrong("tasks", "one task where something is pointed at", f"{len(tasks)} tasks")
    image = await task_image(core, _data(tasks[0]).get(pointed.control.data_key))
    return [prediction(await ask_image(request, image, pointed.mask), VERSION)]


async def _labelled(
    request: Request, core: Core, tasks: Sequence[Any], controls: Sequence[Control], _pointers: Sequence[Any]
) -> list[dict[str, Any]]:
    by_key: dict[str, list[Control]] = {}
    for control in drawn(controls):
        by_key.setdefault(control.data_key, []).append(control)
    images = [
        {key: await task_image(core, data.get(key)) for key in by_key if data.get(key)} for data in map(_data, tasks)
    ]

    def work(job: Job[list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return [_prediction(core, job, found, by_key) for found in images]

    return await core.run(request, work) if any(images) else [prediction([], VERSION) for _ in tasks]


def _prediction(
    core: Core, job: Job[Any], images: Mapping[str, StoredImage], controls: Mapping[str, Sequence[Control]]
) -> dict[str, Any]:
    regions = []
    for key, image in images.items():
        if not job.cancel.is_set():
            with core.holder.use() as model, image.open(model) as scene:
                regions += label_image(Asking(scene, job, image), controls[key])
    return prediction(regions, VERSION)


def _data(task: object) -> Mapping[str, Any]:
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        raise wrong("tasks", "objects with data", task)
    return data


def error_body(error: ApiError, request_id: str) -> Mapping[str, Any]:
    """Return the body of an error as Label Studio's backends give it, and the message again where it is read."""
    return {"status": error.status, "detail": error.message, "error": error.message, "request_id": request_id}


DIALECT = Dialect("Label Studio", router, (PREFIX,), error_body)
