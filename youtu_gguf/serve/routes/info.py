"""What this server can do, and how it is used. Never queued; an unloaded model stays unloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from youtu_gguf.calibration.assumptions import DEFAULT
from youtu_gguf.output.json import SCHEMA
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.schemas import ERRORS, inlined_schema
from youtu_gguf.serve.task_requests import task_body
from youtu_gguf.serve.values import forms_of
from youtu_gguf.tasks import TASKS
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf.model import Model

router = APIRouter(tags=["info"], responses=ERRORS)

MODEL_ID = "youtu-vl"
"""What the model is called over HTTP, whatever its files are."""


@router.get("/v1/info")
async def get_info(request: Request) -> JSONResponse:
    """Tell the version, the model, the tasks with the schemas of their arguments, the limits and the queue.

    What only a loaded model knows is null while there is none.
    """
    core = core_of(request)
    admission = core.jobs.admission
    return JSONResponse(
        {
            "name": "youtu_gguf",
            "version": __version__,
            "schema": SCHEMA,
            "state": core.holder.state,
            **_of_model(core, core.holder.model),
            "tasks": {name: _task(name) for name in TASKS},
            "queue": {"waiting": admission.n_waiting, "active": admission.n_running},
        }
    )


def _of_model(core: Core, model: Model | None) -> dict[str, Any]:
    limits = {
        "body": core.settings.max_body,
        "pixels": core.settings.max_pixels,
        "queue": core.settings.max_waiting,
        "image_tokens": None if model is None else model.engine.image_max_tokens,
    }
    if model is None:
        return {"model": None, "engine": None, "calibration": None, "limits": limits}
    pair = model.pair
    n_ctx = model.settings.n_ctx if pair is None else model.settings.context(pair.language.n_ctx_train)
    return {
        "model": {"id": MODEL_ID, "files": model.files},
        "engine": {
            "name": model.engine.name,
            "states": model.engine.has_states,
            "n_ctx": n_ctx,
            "answers": core.settings.n_answers,
        },
        "calibration": "default" if model.calibration == DEFAULT else "stored",
        "limits": limits,
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
