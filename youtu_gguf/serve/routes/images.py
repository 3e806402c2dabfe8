"""Images by id: sent once, asked many times."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.etags import is_kept
from youtu_gguf.serve.inputs import FORM, JSON, find_image, media_type, read_bytes, read_form, read_json
from youtu_gguf.serve.pixels import PictureForm, picture
from youtu_gguf.serve.schemas import ERRORS
from youtu_gguf.serve.streams import EVENT_STREAM, PieceResponse, sse

if TYPE_CHECKING:
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage

router = APIRouter(tags=["images"], responses=ERRORS)

_LONGEST_TTL_S = 86_400.0
_MOST_PX = 16_384  # WebP's longest side is 16,383

_BINARY = {"type": "string", "format": "binary"}
_SENT = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": _BINARY},
            FORM: {"schema": {"type": "object", "required": ["image"], "properties": {"image": _BINARY}}},
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": False,
                    "properties": {"image": {"type": "string", "description": "A data URI, base64, or a URL."}},
                }
            },
        },
    }
}

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
}


@router.post(
    "/v1/images", status_code=201, responses={200: {"description": "It was there already."}}, openapi_extra=_SENT
)
async def add_image(
    request: Request,
    prepare_it: Annotated[bool, Query(alias="prepare", description="Read it before it is asked about.")] = False,
    ttl_s: Annotated[
        float | None, Query(gt=0, le=_LONGEST_TTL_S, allow_inf_nan=False, description="How long it is kept unused.")
    ] = None,
) -> JSONResponse:
    """Keep an image, and name it by its content: the same bytes have the same id. 200 if it was there already."""
    core = core_of(request)
    image, is_new = await _sent(core, request, ttl_s)
    if prepare_it:
        core.preparing.begin(image, Call.of(request))
    return JSONResponse(_form(image), 201 if is_new else 200)


async def _sent(core: Core, request: Request, ttl_s: float | None) -> tuple[StoredImage, bool]:
    """Return the image that a request sends, kept, and whether it is new."""
    kind = media_type(request)
    if kind.startswith("image/"):
        return await core.images.add(await read_bytes(request), ttl_s)
    if kind == FORM:
        file = (await read_form(request)).files.get("image")
        if file is None:
            message = "expected a file named image in the form; got none."
            raise ApiError(400, "image_required", message, param="image")
        return await core.images.add(file, ttl_s)
    if kind != JSON:
        expected = f"expected Content-Type: image/..., {FORM} or {JSON}; got {kind[:80] or 'none'}."
        raise ApiError(415, "unsupported_media_type", expected)
    sent = await read_json(request)
    unknown = sorted(sent.keys() - {"image"})
    if unknown:
        raise ApiError(
            400, "invalid_argument", f"unknown argument {unknown[0][:80]}. Known here: image.", param="image"
        )
    known = {image.id for image in core.images}
    image = await find_image(core, sent.get("image"))
    if ttl_s is not None:
        await core.images.add(image.data, ttl_s)
    return image, image.id not in known


@router.get("/v1/images")
async def list_images(request: Request) -> JSONResponse:
    """List the images that are kept, the one that was used last at the end."""
    return JSONResponse({"images": [_form(image) for image in core_of(request).images]})


@router.get("/v1/images/{id}")
async def get_image(request: Request, id: str) -> JSONResponse:  # noqa: A002
    """Tell of an image, and keep it for longer."""
    return JSONResponse(_form(core_of(request).images.get(id)))


@router.get("/v1/images/{id}/events", response_class=Response, responses=_EVENTS)
async def follow_reading(request: Request, id: str) -> Response:  # noqa: A002
    """Follow the reading of an image, in events: `reading` at each step, `ready` when it has been read, and `done`.

    There is no `ready` where no one reads the image, or no one does any more.
    """
    core = core_of(request)
    return PieceResponse(_reading_events(core, core.images.get(id)))


async def _reading_events(core: Core, image: StoredImage) -> AsyncGenerator[bytes, None]:
    changed, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: no one listens
            loop.call_soon_threadsafe(changed.set)

    core.jobs.at_drain.append(changed.set)
    try:
        with image.reading.watched(wake):
            while image.state == "reading" and not (image.was_dropped or core.jobs.draining):
                changed.clear()
                yield sse(_reading(image), "reading")
                await changed.wait()
    finally:
        core.jobs.at_drain.remove(changed.set)
    if image.state == "ready":
        yield sse({"read_s": _read_s(image)}, "ready")
    if not core.jobs.draining:
        yield sse({}, "done")


@router.delete("/v1/images/{id}", status_code=204)
async def delete_image(request: Request, id: str) -> Response:  # noqa: A002
    """Forget an image. Requests about it that have begun go on."""
    core_of(request).images.delete(id)
    return Response(status_code=204)


@router.get("/v1/images/{id}/content", response_class=Response)
async def get_content(
    request: Request,
    id: str,  # noqa: A002
    side: Annotated[int | None, Query(ge=1, le=_MOST_PX, description="Longest side, in pixels.")] = None,
    form: Annotated[PictureForm, Query(alias="as")] = "webp",
) -> Response:
    """Give an image upright, as coordinates mean it: those of answers are in its pixels at full size."""
    image = core_of(request).images.get(id)
    etag = f'"{image.id}-{side}-{form}"'
    headers = {"Cache-Control": "private, max-age=3600, immutable", "ETag": etag}
    if is_kept(request, etag):
        return Response(status_code=304, headers=headers)

    def make() -> bytes:
        return picture(image.pixels(), form, side)

    return Response(await asyncio.to_thread(make), headers=headers, media_type=f"image/{form}")


def _form(image: StoredImage) -> dict[str, Any]:
    """Return what is known of an image, as JSON."""
    scene = image.scene  # None while the model is unloaded
    width, height = image.size or (None, None)
    return {
        "id": image.id,
        "width": width,
        "height": height,
        "format": image.format,
        "bytes": len(image.data),
        "focal_px": None if scene is None else scene.focal_px,
        "image_tokens": None if scene is None else scene.grid.n_tokens,
        "state": image.state,
        "reading": _reading(image),
        "read_s": _read_s(image),
        "expires_at": datetime.fromtimestamp(image.expires_at, UTC).isoformat(timespec="seconds"),
    }


def _reading(image: StoredImage) -> dict[str, Any] | None:
    scene = image.scene
    return image.reading.told(None if scene is None else scene.grid.n_tokens) if image.state == "reading" else None


def _read_s(image: StoredImage) -> float | None:
    seconds = image.reading.seconds
    return None if seconds is None or image.state != "ready" else round(seconds, 3)


DIALECT = Dialect("images", router, (), own_error_body)
