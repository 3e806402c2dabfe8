"""The application: routes, errors and the middleware around them, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from youtu_gguf.serve.access_log import AccessLog
from youtu_gguf.serve.answer_headers import AnswerHeaders
from youtu_gguf.serve.body_limit import BodyLimit
from youtu_gguf.serve.calls import Call, CallMiddleware
from youtu_gguf.serve.core import ClientGoneError, Core, core_of
from youtu_gguf.serve.dialects import Dialect, error_body_of
from youtu_gguf.serve.errors import ApiError, Code, as_api_error
from youtu_gguf.serve.guard import Access, Guard
from youtu_gguf.serve.page import page_files
from youtu_gguf.serve.refusals import refused
from youtu_gguf.serve.routes import (
    batches,
    deepstack,
    files,
    health,
    images,
    info,
    label_studio,
    localai,
    metrics,
    ollama,
    openai,
    page,
    responses,
    results,
    tasks,
    x_anylabeling,
)
from youtu_gguf.serve.settings import ServeSettings
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf.model import Model

DIALECTS: tuple[Dialect, ...] = (
    page.DIALECT,
    health.DIALECT,
    metrics.DIALECT,
    info.DIALECT,
    images.DIALECT,
    tasks.DIALECT,
    results.DIALECT,
    batches.DIALECT,
    deepstack.DIALECT,
    openai.DIALECT,
    responses.DIALECT,
    files.DIALECT,
    ollama.DIALECT,
    localai.DIALECT,
    x_anylabeling.DIALECT,
    label_studio.DIALECT,
)
"""All routes."""

_STATUS_CODES: dict[int, Code] = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}

_REJECTED = frozenset({401, 403, 408, 413, 415, 429, 503})
"""Status of requests that are counted as rejected."""


def create_app(load: Callable[[], Model], settings: ServeSettings | None = None) -> FastAPI:
    """Return the application of a server, to be run by any ASGI server.

    Args:
        load: Loads the model, such as `lambda: youtu_gguf.load("nano")`; called when the application starts, in a
            thread: health checks are answered meanwhile.
        settings: How it is run.
    """
    core = Core(load, settings or ServeSettings())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with core.running():
            yield

    app = FastAPI(
        title="youtu_gguf", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        summary="A vision-language model that is asked about images, on this machine.",
    )  # fmt: skip
    app.state.core = core
    if core.settings.page:
        page_files()  # read now: the program may be replaced while it runs
    for dialect in DIALECTS:
        app.include_router(dialect.router)
    _answer_errors(app)
    app.add_middleware(Guard, access=Access(core.settings))
    app.add_middleware(CallMiddleware, answer=_answer, ended=AccessLog(core.metrics))
    app.add_middleware(AnswerHeaders)
    app.add_middleware(BodyLimit, most=core.settings.max_body)  # the outermost
    return app


def _answer(request: Request, error: Exception) -> Response:
    """Return the answer to a request that `error` ended, in the shape of its path's dialect."""
    answer = as_api_error(error)
    if answer.status in _REJECTED:
        core_of(request).metrics.rejected(answer.code)
    body = error_body_of(DIALECTS, request.url.path)(answer, Call.of(request).id)
    return JSONResponse(body, answer.status, answer.headers)


def _answer_errors(app: FastAPI) -> None:
    """Answer what routes raise."""

    async def own(request: Request, error: Any) -> Response:
        return _answer(request, error)

    async def of_framework(request: Request, error: Any) -> Response:
        code = _STATUS_CODES.get(error.status_code, "invalid_argument")
        answer = _answer(request, ApiError(error.status_code, code, str(error.detail)))
        answer.headers.update(error.headers or {})  # a 405 names the methods that there are
        return answer

    async def invalid(request: Request, error: Any) -> Response:
        sent = dict(request.query_params)
        return _answer(request, refused(error.errors(), sent, lambda _place: ()))

    async def gone(_request: Request, _error: Any) -> Response:
        return Response(status_code=499)  # no one reads it

    app.add_exception_handler(ApiError, own)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientGoneError, gone)
    app.add_exception_handler(ClientDisconnect, gone)  # while its body was read
