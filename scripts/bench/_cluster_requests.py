"""Requests that a batch on a cluster makes to an object store, counted at one on this machine (moto's)."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

READS, WRITES = ("GET", "HEAD"), ("PUT", "POST", "DELETE", "LIST")


class Requests(logging.Handler):
    """Counts requests by method and by what they are about; lists are a method of their own.

    Attributes:
        counts: By (method, part of the path below the bucket).
    """

    _LINE = re.compile(r'"?(GET|HEAD|PUT|POST|DELETE) /[^/?\s]*/?(\S*) HTTP')

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, str]] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        found = self._LINE.search(record.getMessage())
        if found is not None:
            method, path = found.groups()
            if path.startswith("?") or "list-type" in path:
                method = "LIST"
            first, _, rest = re.sub(r"[?].*", "", path).partition("/")
            folder = rest.partition("/")[0] if first.startswith("out") else first.partition("-")[0]
            self.counts[method, folder] += 1


@contextmanager
def counting() -> Iterator[Requests]:
    """Count the requests that a store of this process gets in a `with` block."""
    log, handler = logging.getLogger("werkzeug"), Requests()
    before = log.level, log.propagate, log.handlers
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield handler
    finally:
        log.level, log.propagate, log.handlers = before
