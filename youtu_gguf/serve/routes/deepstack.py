"""DeepStack's object detection, which CodeProject.AI speaks too: for Home Assistant, Frigate, Blue Iris, Agent DVR.

Source: DeepStack's and CodeProject.AI's documentation of `/v1/vision/detection`; boxes are corners in whole pixels.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.guard import given_keys, key_fits
from youtu_gguf.serve.inputs import FORM, Form, media_type, read_form
from youtu_gguf.serve.one_task import Asking, ask_image, confidences
from youtu_gguf.types import Boxes, Size

DEFAULT_LIST = "default"
"""The list of classes that is looked for where the client chooses none."""

router = APIRouter(tags=["DeepStack"])

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary"},
                        "min_confidence": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
                        "api_key": {"type": "string"},
                    },
                }
            }
        },
    }
}


@router.get("/v1/status/ping")
@router.get("/v1/server/status/ping")
async def ping() -> dict[str, bool]:
    """Answer while the process lives."""
    return {"success": True}


@router.get("/v1/vision/custom/list")
@router.post("/v1/vision/custom/list")
async def list_custom(request: Request) -> JSONResponse:
    """List the names of the configured lists of classes."""
    if media_type(request) == FORM:
        await _read(request)
    return JSONResponse({"success": True, "models": sorted(core_of(request).settings.classes)})


@router.post("/v1/vision/detection", openapi_extra=_FORM)
async def detection(request: Request) -> JSONResponse:
    """Detect the objects of the list of classes "default"; of any class where there is no such list."""
    form = await _read(request)
    return await _detected(request, form, core_of(request).settings.classes.get(DEFAULT_LIST))


@router.post("/v1/vision/custom/{name}", openapi_extra=_FORM)
async def custom(request: Request, name: str) -> JSONResponse:
    """Detect the objects of a configured list of classes."""
    form, lists = await _read(request), core_of(request).settings.classes
    if name not in lists:
        known = ", ".join(sorted(lists)) or "none"
        raise ApiError(
            404, "model_not_found", f"there is no list of classes {name[:64]!r}; there are: {known}. Give --classes."
        )
    return await _detected(request, form, lists[name])


async def _detected(request: Request, form: Form, classes: Sequence[str] | None) -> JSONResponse:
    core = core_of(request)
    least = _min_confidence(form)
    image, _ = await core.images.add(_image(form))
    began = time.perf_counter()

    def ask(asking: Asking) -> tuple[Boxes, Size]:
        return asking.run(Boxes, "detect", classes, scores=True), asking.scene.size

    boxes, size = await ask_image(request, image, ask)
    found = [found for found in _predictions(boxes, size) if found["confidence"] >= least]
    spent = boxes.timings
    return JSONResponse(
        {
            "success": True,
            "predictions": found,
            "count": len(found),
            "inferenceMs": round(1000 * (spent.encode_s + spent.prefill_s + spent.generate_s)),
            "processMs": round(1000 * (time.perf_counter() - began)),
        }
    )


async def _read(request: Request) -> Form:
    """Return the form of a request, whose key may be one of its fields: the guard lets forms pass without.

    Raises:
        ApiError: It is no form, or has no key that fits.
    """
    form = await read_form(request)
    keys = (form.fields.get("api_key"), *given_keys(request.headers))
    if not any(key_fits(core_of(request).settings, key) for key in keys):
        raise ApiError(401, "invalid_api_key", "expected the server's key in api_key; it is missing or wrong.")
    return form


def _image(form: Form) -> bytes:
    """Return the bytes of the image, which clients give several names."""
    if not form.files:
        raise ApiError(400, "image_required", "expected a file named image in the form; got none.", param="image")
    return next(iter(form.files.values()))


def _min_confidence(form: Form) -> float:
    given = form.fields.get("min_confidence", "0")
    try:
        least = float(given)
    except ValueError:
        least = -1
    if not 0 <= least <= 1:
        raise ApiError(
            400, "invalid_argument", f"min_confidence must be a number from 0 to 1; got {given[:32]!r}.",
            param="min_confidence",
        )  # fmt: skip
    return least


def _predictions(boxes: Boxes, size: Size) -> list[dict[str, Any]]:
    """Return the boxes in whole pixels within the image."""
    edges = np.round(boxes.xyxy).clip(0, [*size, *size]).astype(int).tolist()
    rows = zip(boxes.labels, confidences(boxes.scores), edges, strict=True)
    return [
        {"label": label, "confidence": score, "x_min": left, "y_min": top, "x_max": right, "y_max": bottom}
        for label, score, (left, top, right, bottom) in rows
    ]


def error_body(error: ApiError, _request_id: str) -> Mapping[str, Any]:
    """Return the body of an error as DeepStack's clients read it."""
    return {"success": False, "error": error.message, "code": error.status}


DIALECT = Dialect("DeepStack", router, ("/v1/vision/", "/v1/status/", "/v1/server/"), error_body)
