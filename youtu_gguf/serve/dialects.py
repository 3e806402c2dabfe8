"""Whose routes and errors have which shape. A new dialect is a file in `routes/` and a line in `app.DIALECTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from youtu_gguf.serve.errors import ApiError

ErrorBody = Callable[[ApiError, str], Mapping[str, Any]]
"""From an error and the request's id to the body of the answer."""


@dataclass(frozen=True)
class Dialect:
    """The routes of one protocol.

    Attributes:
        name: Whose they are.
        router: The routes.
        prefixes: How the paths begin whose errors have its shape, also where no route has such a path.
        error_body: The shape of its errors.
    """

    name: str
    router: APIRouter
    prefixes: tuple[str, ...]
    error_body: ErrorBody


def own_error_body(error: ApiError, request_id: str) -> Mapping[str, Any]:
    """Return the body of an error in our own shape, which is OpenAI's and the request's id."""
    return {"error": error.body(), "request_id": request_id}


def error_body_of(dialects: Sequence[Dialect], path: str) -> ErrorBody:
    """Return the shape of errors at `path`: that of the longest prefix, our own where there is none."""
    found = [(len(prefix), d.error_body) for d in dialects for prefix in d.prefixes if path.startswith(prefix)]
    return max(found, key=lambda pair: pair[0])[1] if found else own_error_body
