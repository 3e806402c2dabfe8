"""The page: what a browser is shown at `/`, the files that it is made of, and the cookie that stands for the key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.etags import is_kept
from youtu_gguf.serve.guard import SESSION, key_fits, wants_page
from youtu_gguf.serve.inputs import read_json
from youtu_gguf.serve.page import INDEX, PageFile, page_files
from youtu_gguf.serve.schemas import ERRORS, json_body
from youtu_gguf.serve.session import Session, speaks_https
from youtu_gguf.version import __version__

router = APIRouter(tags=["page"], responses=ERRORS)

_KEY: dict[str, Any] = {
    "type": "object",
    "required": ["key"],
    "additionalProperties": False,
    "properties": {"key": {"type": "string"}},
}


@router.head("/", include_in_schema=False)
@router.get("/", response_class=PlainTextResponse)
async def root(request: Request) -> Response:
    """Show the page to browsers; say what answers here to all others."""
    if core_of(request).settings.page and wants_page(request.headers):
        # With the referrer of its own requests the page is told from others where browsers send no Sec-Fetch-Site.
        return _answer(request, page_files()[INDEX], {"Vary": "Accept", "Referrer-Policy": "same-origin"})
    text = f"youtu_gguf {__version__} is running. /openapi.json describes its routes.\n"
    return PlainTextResponse(text, headers={"Vary": "Accept"})


@router.head("/static/{path:path}", include_in_schema=False)
@router.get("/static/{path:path}", include_in_schema=False)
async def static(request: Request, path: str) -> Response:
    """Give a file of the page."""
    file = page_files().get(path)
    if file is None or path == INDEX:
        raise ApiError(404, "not_found", f"there is no file {path[:80]!r}.")
    _check_page(request)
    return _answer(request, file, {})


def _answer(request: Request, file: PageFile, headers: dict[str, str]) -> Response:
    """Return a file as the client takes it; only its header to those who have it, or asked for that alone."""
    body, etag = file.body, file.etag
    if file.packed is not None:
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
        if "gzip" in request.headers.get("accept-encoding", "").lower():
            body, etag = file.packed, file.packed_etag
            headers["Content-Encoding"] = "gzip"
    headers |= {"ETag": etag, "Cache-Control": "no-cache", "Content-Type": file.media_type}
    if is_kept(request, etag):
        del headers["Content-Type"]
        headers.pop("Content-Encoding", None)
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers={**headers, "Content-Length": str(len(body))})
    return Response(body, headers=headers)


@router.post(SESSION, status_code=204, response_class=Response, openapi_extra=json_body(_KEY))
async def begin_session(request: Request) -> Response:
    """Give the page a cookie that stands for the server's key, until the browser is closed."""
    _check_page(request)
    sent = await read_json(request)
    key = sent.get("key")
    if sent.keys() != {"key"} or not isinstance(key, str):
        raise ApiError(400, "invalid_argument", "expected an object with the text key, and nothing else.", param="key")
    core = core_of(request)
    if not key_fits(core.settings, key) and not core.ticket.takes(key):
        raise ApiError(401, "invalid_api_key", "this is not the server's key. See the file given as --api-key-file.")
    return _cookie(request, "begin")


@router.delete(SESSION, status_code=204, response_class=Response)
async def end_session(request: Request) -> Response:
    """Take that cookie away."""
    _check_page(request)
    return _cookie(request, "end")


def _cookie(request: Request, what: str) -> Response:
    key = core_of(request).settings.api_key
    headers: dict[str, Any] = {}
    if key is not None:
        session, secure = Session(key), speaks_https(request.headers)
        headers["Set-Cookie"] = session.begin(secure=secure) if what == "begin" else session.end(secure=secure)
    return Response(status_code=204, headers=headers)


def _check_page(request: Request) -> None:
    if not core_of(request).settings.page:
        raise ApiError(404, "not_found", "this server shows no page: it was started with --no-page.")


DIALECT = Dialect("page", router, (), own_error_body)
