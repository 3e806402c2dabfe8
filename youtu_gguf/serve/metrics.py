"""Figures of one server for Prometheus: what was asked, how long it took, and what the engine has done for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from youtu_gguf.serve.core import Core

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Bounds of the histograms: from a request about an image that was read to a map of a large one on two cores."""

OTHER = "other"
"""The task of work that named none."""


class Metrics:
    """Counters and histograms, in a registry of this server's own. Safe to use from several threads.

    Labels have values of the server's own only: routes as they are declared, tasks, codes.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("youtu_requests", "Requests that were answered.", ("route", "code"), registry=registry)
        self._request_s = Histogram(
            "youtu_request_seconds", "Time from the start of a task to its result.", ("task",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._queue_s = Histogram(
            "youtu_queue_seconds", "Time that requests waited for their turn.", buckets=_SECONDS, registry=registry
        )
        self._first_token_s = Histogram(
            "youtu_first_token_seconds", "Time from the start of a task to the first piece of its answer.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._cancelled = Counter(
            "youtu_cancelled", "Requests that were cancelled, by what they were doing.", ("stage",), registry=registry
        )
        self._rejected = Counter(
            "youtu_rejected", "Requests that were not begun, by the reason.", ("reason",), registry=registry
        )

    def answered(self, route: str, code: int) -> None:
        """Count an answer by its route, as it was declared, and its HTTP status."""
        self._requests.labels(route, str(code)).inc()

    def admitted(self, queue_s: float) -> None:
        """Count a request whose turn it is after `queue_s`."""
        self._queue_s.observe(queue_s)

    def spoke(self, seconds: float) -> None:
        """Count the first piece of an answer."""
        self._first_token_s.observe(seconds)

    def ended(self, task: str, seconds: float) -> None:
        """Count a task that gave its result."""
        self._request_s.labels(task or OTHER).observe(seconds)

    def cancelled(self, stage: str) -> None:
        """Count a cancelled request: "queued", "running", or what the engine reported last, such as "prefill"."""
        self._cancelled.labels(stage).inc()

    def rejected(self, reason: str) -> None:
        """Count a request that was not begun, by the code of its error."""
        self._rejected.labels(reason).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class CoreCollector(Collector):
    """Reads the state of a server when it is asked for. It wakes no model that was unloaded."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def describe(self) -> list[Metric]:
        """Return nothing: names are found out by collecting."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the queue, the stored images, and what the engine has done, unloaded models included."""
        core, counts = self._core, self._core.holder.counts()
        admission = core.jobs.admission
        yield _gauge("queue_length", "Requests that wait.", admission.n_waiting)
        yield _gauge("answers_active", "Requests that are being answered.", admission.n_running)
        yield _gauge("image_store_bytes", "Memory for images that were sent.", core.images.n_bytes)
        yield _gauge("loaded", "Whether the model is loaded.", core.holder.state == "ready")
        yield _counter("image_tokens", "Image tokens that were encoded.", counts.image_tokens)
        yield _counter("generated_tokens", "Tokens of answers.", counts.generated_tokens)
        yield _counter("decodes", "Decodes of the language model; one moves several answers on.", counts.decodes)
        yield _counter("encode_seconds", "Time of encoding images.", counts.encode_s)
        yield _counter("prefill_seconds", "Time of reading what precedes questions.", counts.prefill_s)
        found = CounterMetricFamily(
            "youtu_prefix_lookups", "Where what precedes a question was found.", labels=("found",)
        )
        for where, number in counts.prefixes.items():
            found.add_metric((where,), number)
        yield found


def _gauge(name: str, says: str, value: float) -> Metric:
    return cast(Metric, GaugeMetricFamily(f"youtu_{name}", says, value=float(value)))


def _counter(name: str, says: str, value: float) -> Metric:
    return cast(Metric, CounterMetricFamily(f"youtu_{name}", says, value=float(value)))
