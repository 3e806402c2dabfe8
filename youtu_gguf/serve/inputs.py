"""What requests bring: JSON, forms, and images by id, as base64 or by URL."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from fastapi import Request

    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage

JSON = "application/json"
FORM = "multipart/form-data"

MAX_DEPTH = 32
"""Levels of objects and arrays in a body."""

MAX_FILES, MAX_FIELDS = 1, 16
"""Parts of a form."""

_DATA_URI = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)


def media_type(request: Request) -> str:
    """Return the media type of a body, in lower case and without parameters."""
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


async def read_json(request: Request) -> dict[str, Any]:
    """Return the object that is the body of `request`.

    A page of another site cannot send `application/json` without asking first, so nothing else is read as JSON.

    Raises:
        ApiError: It is of another type, no JSON, or no object.
    """
    kind = media_type(request)
    if kind != JSON:
        raise ApiError(415, "unsupported_media_type", f"expected Content-Type: {JSON}; got {kind[:80] or 'none'}.")
    return parse_json(await request.body(), "the body")


def parse_json(text: str | bytes, name: str) -> dict[str, Any]:
    """Return the object that `text` is; `name` is what messages call it.

    Raises:
        ApiError: It is no JSON, no object, or nested deeper than `MAX_DEPTH`.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        reason = str(exc)[:200] if isinstance(exc, ValueError) else "nested too deeply"
        raise ApiError(400, "invalid_json", f"{name} must be JSON: {reason}.") from exc
    if not isinstance(value, dict):
        raise ApiError(400, "invalid_json", f"{name} must be an object; got {type(value).__name__}.")
    if _depth(value) > MAX_DEPTH:
        raise ApiError(400, "invalid_json", f"{name} may be nested {MAX_DEPTH} levels deep; it is nested deeper.")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level:
        nested: list[object] = []
        for item in level:
            nested += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        level, depth = nested, depth + 1
        if depth > MAX_DEPTH:
            break
    return depth


@dataclass(frozen=True)
class Form:
    """The parts of a form.

    Attributes:
        fields: Texts by name.
        files: Bytes by name.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


async def read_form(request: Request) -> Form:
    """Return the parts of a multipart body.

    Raises:
        ApiError: It is no such body, or has too many parts.
    """
    kind = media_type(request)
    if kind != FORM:
        raise ApiError(415, "unsupported_media_type", f"expected Content-Type: {FORM}; got {kind[:80] or 'none'}.")
    form = Form()
    try:
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS) as parts:
            for name, part in parts.multi_items():
                if isinstance(part, UploadFile):
                    form.files[name] = await part.read()
                else:
                    form.fields[name] = part
    except HTTPException as exc:
        raise ApiError(400, "invalid_argument", f"expected a form: {exc.detail}") from exc
    return form


async def find_image(core: Core, value: object, param: str = "image") -> StoredImage:
    """Return the image that `value` names or holds: an id, a data URI, base64, or, where that is allowed, a URL.

    Text of a client never becomes a path.

    Args:
        core: Where images are kept.
        value: What stood in the request.
        param: Name of the argument, for messages.

    Raises:
        ApiError: It is none of those, there is no such image, or it cannot be used.
    """
    if not isinstance(value, str) or not value:
        raise ApiError(
            400,
            "image_required",
            f"{param} must be the id of an image (img_...), a data URI or base64; got {type(value).__name__}.",
            param=param,
        )
    if value.removeprefix("file-").startswith("img_"):
        return core.images.get(value.removeprefix("file-"))
    if _URL.match(value):
        image, _ = await core.images.add(await core.fetch(value))
        return image
    image, _ = await core.images.add(decode_base64(value, param))
    return image


def decode_base64(value: str, param: str = "image") -> bytes:
    """Return the bytes of a data URI, or of base64 without one.

    Raises:
        ApiError: It is neither.
    """
    start = _DATA_URI.match(value)
    if start is not None and not start[0].lower().endswith(";base64,"):
        raise ApiError(
            400, "invalid_image", f"{param} must be a data URI in base64; got another encoding.", param=param
        )
    try:
        data = base64.b64decode(value[start.end() if start else 0 :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        data = b""
    if not data:
        raise ApiError(
            400,
            "invalid_image",
            f"{param} must be the id of an image (img_...), a data URI or base64; it is none of these.",
            param=param,
        )
    return data
