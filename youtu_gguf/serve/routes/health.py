"""Whether the process lives, and whether it can answer. Never queued; an unloaded model stays unloaded."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.version import __version__

router = APIRouter(tags=["health"])


@router.head("/", response_class=PlainTextResponse, include_in_schema=False)
@router.get("/", response_class=PlainTextResponse)
async def root() -> str:
    """Say what answers here."""
    return f"youtu_gguf {__version__} is running. /openapi.json describes its routes.\n"


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Answer while the process lives."""
    return {"status": "ok"}


@router.get("/readyz")
@router.get("/health")
@router.get("/v1/health")
async def readyz(request: Request) -> dict[str, str]:
    """Answer 200 if a request would be taken, else 503."""
    core = core_of(request)
    if core.jobs.draining:
        raise ApiError(503, "draining", "the server is stopping.", retry_after_s=5)
    core.holder.check_ready()
    return {"status": "ok"}


DIALECT = Dialect("health", router, (), own_error_body)
