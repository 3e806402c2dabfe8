"""OpenAI's files: images that are sent once and named in requests. It is the store of images under another name.

Source: OpenAI's API reference; requests of openai-python.
"""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.described import FILE
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import Ignored, unsupported
from youtu_gguf.serve.inputs import read_form
from youtu_gguf.serve.schemas import ERRORS

if TYPE_CHECKING:
    from youtu_gguf.serve.images import StoredImage

router = APIRouter(tags=["OpenAI"], responses=ERRORS)

PREFIX = "file-"
"""Stands before an image's id."""

PURPOSES = ("vision", "user_data")
"""What files are sent for."""


@router.post("/v1/files", openapi_extra=FILE)
async def add(request: Request) -> dict[str, Any]:
    """Keep an image."""
    core, ignored = core_of(request), Ignored()
    core.holder.check_ready()
    form = await read_form(request)
    purpose = form.fields.pop("purpose", PURPOSES[0])
    if purpose not in PURPOSES:
        raise unsupported("purpose", f"must be one of {', '.join(PURPOSES)}")
    if "file" not in form.files:
        raise ApiError(400, "image_required", "expected an image in the field file; got none.", param="file")
    image, _ = await core.images.add(form.files["file"])
    ignored.add(*form.fields)
    ignored.tell(Call.of(request))
    return _entry(image)


@router.get("/v1/files")
async def listing(request: Request) -> dict[str, Any]:
    """List the images that are kept."""
    return {"object": "list", "data": [_entry(image) for image in core_of(request).images], "has_more": False}


@router.get("/v1/files/{file_id}")
async def about(request: Request, file_id: str) -> dict[str, Any]:
    """Describe an image."""
    return _entry(core_of(request).images.get(_image_id(file_id)))


@router.get(
    "/v1/files/{file_id}/content",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "The image's file."}},
)
async def content(request: Request, file_id: str) -> Response:
    """Return an image as it was sent."""
    image = core_of(request).images.get(_image_id(file_id))
    return Response(image.data, media_type=mimetypes.types_map.get(_suffix(image), "application/octet-stream"))


@router.delete("/v1/files/{file_id}")
async def delete(request: Request, file_id: str) -> dict[str, Any]:
    """Drop an image."""
    core_of(request).images.delete(_image_id(file_id))
    return {"id": file_id, "object": "file", "deleted": True}


def _image_id(file_id: str) -> str:
    return file_id.removeprefix(PREFIX)


def _suffix(image: StoredImage) -> str:
    return f".{image.format.lower()}"


def _entry(image: StoredImage) -> dict[str, Any]:
    return {
        "id": f"{PREFIX}{image.id}",
        "object": "file",
        "bytes": len(image.data),
        "created_at": int(image.created_at),
        "expires_at": int(image.expires_at),
        "filename": f"{image.id}{_suffix(image)}",
        "purpose": PURPOSES[0],
        "status": "processed",
    }


DIALECT = Dialect("files", router, (), own_error_body)
