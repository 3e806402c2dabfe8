"""What requests bring: JSON, forms, and images by id, as base64 or by URL."""

from __future__ import annotations

import asyncio
import binascii
import json
import logging
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from youtu_gguf.serve.errors import ApiError

if TYPE_CHECKING:
    from fastapi import Request

    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every odd byte that a client sends

JSON = "application/json"
FORM = "multipart/form-data"

MAX_DEPTH = 32
"""Levels of objects and arrays in a body."""

MAX_ITEMS = 250_000
"""Values in a body: a few bytes of JSON become a hundred of memory."""

MAX_TEXT = 64 << 10
"""Characters of one text of a person."""

MAX_FILES, MAX_FIELDS = 1, 16
"""Parts of a form."""

_LONGEST_FIELD = 1 << 20
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{1,200}")
"""What separates the parts of a form (RFC 2046, 5.1.1, which allows 70 characters)."""

_MOST_DIGITS = 20
_STARTS = ",[{"
"""Before each value of a JSON text but the first, or that of a name, one of these stands."""

_PIECE = 1 << 20
_MOST_PADDING = 2
_SPACES = "\n\r\t "

_DATA_URI = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
_ID = "img_"
"""How ids of images begin."""

_URL = re.compile(r"[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)


def media_type(request: Request) -> str:
    """Return the media type of a body, in lower case and without parameters."""
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


async def read_bytes(request: Request) -> bytes:
    """Return the body of `request`, which is not kept with it: a long one would else be in memory several times.

    Raises:
        ApiError: It is too long, or came too slowly.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
    return bytes(body)


async def read_json(request: Request) -> dict[str, Any]:
    """Return the object that is the body of `request`.

    A page of another site cannot send `application/json` without asking first, so nothing else is read as JSON.

    Raises:
        ApiError: It is of another type, no JSON, or no object.
    """
    kind = media_type(request)
    if kind != JSON:
        raise ApiError(415, "unsupported_media_type", f"expected Content-Type: {JSON}; got {kind[:80] or 'none'}.")
    return parse_json(await read_bytes(request), "the body")


def parse_json(text: str | bytes, name: str) -> dict[str, Any]:
    """Return the object that `text` is; `name` is what messages call it.

    Numbers are finite, names of one object differ, and texts are whole Unicode characters, so that what is made of them
    can be trusted.

    Raises:
        ApiError: It is no such JSON, no object, nested deeper than `MAX_DEPTH`, or has more than `MAX_ITEMS` items.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        if len(text) > MAX_ITEMS and sum(map(text.count, _STARTS)) > MAX_ITEMS:
            raise ValueError(f"at most {MAX_ITEMS} items")
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_short,
            object_pairs_hook=_without_repetition,
        )
        depth = _checked_depth(value)
    except (ValueError, RecursionError) as exc:
        reason = str(exc)[:200] if isinstance(exc, ValueError) else "nested too deeply"
        raise ApiError(400, "invalid_json", f"{name} must be JSON: {reason}.") from exc
    if not isinstance(value, dict):
        raise ApiError(400, "invalid_json", f"{name} must be an object; got {type(value).__name__}.")
    if depth > MAX_DEPTH:
        raise ApiError(400, "invalid_json", f"{name} may be nested {MAX_DEPTH} levels deep; it is nested deeper.")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:20]} is too large")
    return number


def _short(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"the number {digits[:20]}... is too large")
    return int(digits)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the name {repeated[:40]!r} stands twice in one object")
    return found


def _checked_depth(value: object) -> int:
    """Return the levels of a value, or `MAX_DEPTH` + 1 where there are more.

    Raises:
        ValueError: A text has half a character (a surrogate of UTF-16 on its own).
    """
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        nested: list[object] = []
        for item in level:
            if isinstance(item, str):
                if not item.isascii():
                    item.encode()
            elif isinstance(item, dict):
                nested += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                nested += item
        level, depth = nested, depth + any(isinstance(item, dict | list) for item in level)
    return depth


def check_text(value: object, param: str, most: int = MAX_TEXT) -> str:
    """Return a text of a person, such as a question or the name of a class.

    Raises:
        ApiError: It is no text, longer than `most` characters, or has a null character.
    """
    if not isinstance(value, str):
        raise ApiError(400, "invalid_argument", f"{param} must be a text; got {type(value).__name__}.", param=param)
    if len(value) > most:
        raise ApiError(
            400, "invalid_argument", f"{param} may have {most} characters; got {len(value)}. Shorten it.", param=param
        )
    if "\0" in value:
        raise ApiError(400, "invalid_argument", f"{param} has a null character. Leave it out.", param=param)
    return value


@dataclass(frozen=True)
class Form:
    """The parts of a form.

    Attributes:
        fields: Texts by name.
        files: Bytes by name.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


class _FormParser(MultiPartParser):
    """Keeps files in memory, where they are needed next, and knows whether the form ended."""

    spool_max_size = 1 << 62
    ended = False

    def on_end(self) -> None:
        self.ended = True


async def read_form(request: Request) -> Form:
    """Return the parts of a multipart body.

    Raises:
        ApiError: It is no such body, or has too many parts, or two of one name.
    """
    kind = media_type(request)
    if kind != FORM:
        raise ApiError(415, "unsupported_media_type", f"expected Content-Type: {FORM}; got {kind[:80] or 'none'}.")
    boundary = parse_options_header(request.headers["content-type"])[1].get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise ApiError(
            400, "invalid_argument", "expected a form; its Content-Type has no boundary, or none that may be."
        )
    header = Headers({"content-type": f'{FORM}; boundary="{boundary.decode("latin-1")}"'})  # its charset is UTF-8
    parser = _FormParser(
        header, request.stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=_LONGEST_FIELD
    )
    form = Form()
    try:
        parts = await parser.parse()
    except MultiPartException as exc:
        raise ApiError(400, "invalid_argument", f"expected a form: {exc.message}") from exc
    try:
        for name, part in parts.multi_items():
            if name in form.fields or name in form.files:
                raise ApiError(400, "invalid_argument", f"the form has two parts named {name[:80]!r}.")
            if isinstance(part, UploadFile):
                form.files[name] = await part.read()
            else:
                form.fields[name] = part
    finally:
        await parts.close()
    if not parser.ended:
        raise ApiError(400, "invalid_argument", "expected a form; its end is missing.")
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
    text = _image_text(value, param)
    if text.startswith(_ID):
        return core.images.get(text)
    image, _ = await core.images.add(await _image_bytes(core, text, param))
    return image


async def read_image(core: Core, value: object, param: str = "image") -> bytes:
    """Return the file of the image that `value` names or holds, as `find_image` does; it is not looked at.

    Raises:
        ApiError: It is none of those, or there is no such image.
    """
    text = _image_text(value, param)
    return core.images.get(text).data if text.startswith(_ID) else await _image_bytes(core, text, param)


def _image_text(value: object, param: str) -> str:
    """Return what stands for an image; an id without the prefix of files.

    Raises:
        ApiError: It is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ApiError(
            400,
            "image_required",
            f"{param} must be the id of an image (img_...), a data URI or base64; got {type(value).__name__}.",
            param=param,
        )
    plain = value.removeprefix("file-")
    return plain if plain.startswith(_ID) else value


async def _image_bytes(core: Core, text: str, param: str) -> bytes:
    if _URL.match(text):
        return await core.fetch(text)
    is_short = len(text) <= _PIECE
    return decode_base64(text, param) if is_short else await asyncio.to_thread(decode_base64, text, param)


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
        data = _from_base64(value, start.end() if start else 0)
    except ValueError:
        data = b""
    if not data:
        raise ApiError(
            400,
            "invalid_image",
            f"{param} must be the id of an image (img_...), a data URI or base64; it is none of these.",
            param=param,
        )
    return data


def _from_base64(text: str, begin: int) -> bytes:
    """Decode a piece at a time: no other thread runs while one is decoded.

    Raises:
        ValueError: It is no base64.
    """
    if any(space in text for space in _SPACES):  # lines, as mail has them
        text, begin = "".join(text[begin:].split()), 0
    end = text.find("=", begin)
    if end >= 0 and len(text) - end > _MOST_PADDING:
        raise ValueError("it ends twice")
    pieces = (text[at : at + _PIECE] for at in range(begin, len(text), _PIECE))
    return b"".join(binascii.a2b_base64(piece, strict_mode=True) for piece in pieces)
