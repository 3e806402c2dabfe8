"""Whether the process lives, and whether it can answer. Never queued; an unloaded model stays unloaded."""

from fastapi import APIRouter, Request

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError

router = APIRouter(tags=["health"])


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
