"""What this server can do, and how it is used. Never queued; an unloaded model stays unloaded."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from youtu_gguf.output.json import SCHEMA
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.schemas import ERRORS, inlined_schema
from youtu_gguf.serve.task_requests import task_body
from youtu_gguf.serve.values import forms_of
from youtu_gguf.tasks import TASKS
from youtu_gguf.version import __version__

router = APIRouter(tags=["info"], responses=ERRORS)


@router.get("/v1/info")
async def get_info(request: Request) -> JSONResponse:
    """Tell the version, the model, the tasks with the schemas of their arguments, the limits and the queue.

    What is said of the model is null until it has been loaded for the first time.
    """
    core = core_of(request)
    admission = core.jobs.admission
    return JSONResponse(
        {
            "name": "youtu_gguf",
            "version": __version__,
            "schema": SCHEMA,
            "state": core.holder.state,
            **_of_model(core),
            "tasks": {name: _task(name) for name in TASKS},
            "queue": {"waiting": admission.n_waiting, "active": admission.n_running},
        }
    )


def _of_model(core: Core) -> dict[str, Any]:
    settings = core.settings
    limits = {"body": settings.max_body, "pixels": settings.max_pixels, "queue": settings.max_waiting}
    if core.holder.state in ("loading", "failed"):
        return {"model": None, "engine": None, "calibration": None, "limits": {**limits, "image_tokens": None}}
    facts = core.holder.facts
    return {
        "model": {"id": facts.id, "files": facts.files},
        "engine": {
            "name": facts.engine,
            "states": facts.has_states,
            "n_ctx": facts.n_ctx,
            "answers": settings.n_answers,
        },
        "calibration": "stored" if facts.is_calibrated else "default",
        "limits": {**limits, "image_tokens": facts.image_tokens},
    }


def _task(name: str) -> dict[str, Any]:
    task = TASKS[name]
    return {
        "summary": task.summary,
        "arguments": inlined_schema(task_body(name)),
        "value": task.value.__name__,
        "forms": list(forms_of(task.value)),
    }


DIALECT = Dialect("info", router, (), own_error_body)
