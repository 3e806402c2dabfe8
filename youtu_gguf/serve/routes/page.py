"""The page: what a browser is shown at `/`, and the files that it is made of."""

from __future__ import annotations

import mimetypes
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.version import __version__

router = APIRouter(tags=["page"], include_in_schema=False)

FOLDER = Path(__file__).parents[1] / "static"


@cache
def page_files() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by their path below the folder, each with its media type."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        kind = mimetypes.guess_type(path.name)[0] or "text/plain"
        if path.is_file():
            found[path.relative_to(FOLDER).as_posix()] = (path.read_bytes(), kind)
    return found


@router.head("/", response_class=Response)
@router.get("/", response_class=Response)
async def root(request: Request) -> Response:
    """Show the page to browsers; say what answers here to all others."""
    if core_of(request).settings.page and "text/html" in request.headers.get("accept", ""):
        return Response(page_files()["index.html"][0], media_type="text/html")
    return PlainTextResponse(f"youtu_gguf {__version__} is running. /openapi.json describes its routes.\n")


@router.get("/static/{path:path}", response_class=Response)
async def static(request: Request, path: str) -> Response:
    """Give a file of the page."""
    files = page_files()
    if not core_of(request).settings.page or path not in files:
        raise ApiError(404, "not_found", f"there is no file {path[:80]!r}.")
    body, kind = files[path]
    return Response(body, media_type=kind, headers={"Cache-Control": "no-cache"})


DIALECT = Dialect("page", router, (), own_error_body)
