"""Answers that a client may keep: named by what is in them, and not sent again to those who have them."""

from __future__ import annotations

import hashlib
import re

from fastapi import Request

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag_of(data: bytes) -> str:
    """Return the `ETag` of an answer with this body."""
    return f'"{hashlib.blake2b(data, digest_size=16).hexdigest()}"'


def is_kept(request: Request, etag: str) -> bool:
    """Return whether the client has the answer with this `ETag`, and asks for it only if it has changed.

    Source: RFC 9110, 13.1.2.
    """
    given = ", ".join(request.headers.getlist("if-none-match"))
    return given.strip() == "*" or etag in _TAG.findall(given)
