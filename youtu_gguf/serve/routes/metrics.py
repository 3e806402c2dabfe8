"""Figures for Prometheus. Never queued; an unloaded model stays unloaded."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Return the server's figures in Prometheus's text format."""
    return Response(core_of(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


DIALECT = Dialect("metrics", router, (), own_error_body)
