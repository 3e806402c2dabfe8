"""One line of log for each request. It has no prompts, no images and no keys."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

    from youtu_gguf.serve.calls import Call
    from youtu_gguf.serve.metrics import Metrics

LOG = logging.getLogger("youtu_gguf.serve.access")

UNMATCHED = "unmatched"
"""The route of a request that none was found for, or that was refused before."""

GONE = 499
"""The code of a request whose client hung up before its answer began."""

_PROBES = frozenset({"/healthz", "/readyz", "/health", "/v1/health", "/metrics"})
"""Routes that are asked every few seconds; they are logged at a level that is not shown."""


class AccessLog:
    """Counts and logs requests when they have ended.

    Args:
        metrics: Where they are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, call: Call, scope: Scope) -> None:
        """Count and log a request."""
        route = str(getattr(scope.get("route"), "path", UNMATCHED))  # what the client wrote is not logged
        code = call.status or GONE
        self._metrics.answered(route, code)
        words = {"method": scope["method"] if route != UNMATCHED else "-", "route": route, "code": code}
        words |= {"bytes": call.n_bytes, "total_s": f"{time.perf_counter() - call.began:.3f}"}
        if call.job is not None:
            words |= {"queue_s": f"{call.job.queue_s:.3f}", "task": call.job.task or "-"}
            words |= {"image_tokens": call.job.n_image_tokens}
        line = " ".join(f"{name}={value}" for name, value in words.items())
        LOG.log(logging.DEBUG if route in _PROBES else logging.INFO, "%s %s", call.id, line)
