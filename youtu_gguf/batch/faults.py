"""What goes wrong at an object store or another file system: what is tried again, and what an error says to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

from youtu_gguf.backoff import Backoff
from youtu_gguf.batch.addresses import in_short, is_local, shown
from youtu_gguf.errors import InputError, YoutuError

RETRIES = 5
"""Tries after the first: 12 seconds in all, besides those that pyarrow itself makes of one request."""

FIRST_S, LONGEST_S = 0.4, 8.0
"""Pauses between them."""

T = TypeVar("T")

_PASSING = re.compile(
    r"SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|INTERNAL_ERROR|NETWORK_CONNECTION|REQUEST_TIMEOUT|THROTTLING"
    r"|HTTP status (?:408|429|5\d\d)|\b(?:429|50[0234])\b|timed out|timeout"
    r"|connection (?:was )?(?:reset|refused|aborted)|slow ?down|try again|temporarily",
    re.IGNORECASE,
)
"""In messages of pyarrow, which has one type for all errors (arrow/filesystem/s3_internal.h, `S3ErrorToString`), and of
packages for fsspec, which have many: what may be otherwise in a moment."""

_REMEDIES = (
    (r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist|container does not exist", "Create it, or correct its name"),
    (
        r"INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN|SIGNATURE|UNRECOGNIZED_CLIENT|EXPIRED|credential|\b401\b",
        "Set keys that are valid, for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, on every machine",
    ),
    (
        r"ACCESS_DENIED|AccessDenied|FORBIDDEN|Permission denied|HTTP status 403|\b403\b",
        "Set keys that may list, read, write and delete there, on every machine",
    ),
    (r"NETWORK_CONNECTION|resolve|connect", "Check the network, and the server's address (for S3 AWS_ENDPOINT_URL)"),
    (r"No space left|QUOTA|quota", "Free some space there"),
)
"""What to do about an error, by its message."""


def attempt(
    call: Callable[[], T],
    what: str,
    address: str,
    kind: type[YoutuError] = InputError,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Return what `call` returns; where a store has a passing trouble, call it again after a pause.

    Args:
        call: May be called several times.
        what: What it does, for errors: "list", "read".
        address: With what.
        kind: The error to raise.
        sleep: Waits for that many seconds.

    Raises:
        FileNotFoundError: There is no such file.
        YoutuError: `kind`: it does not work; says why, and what to do.
    """
    backoff = Backoff(FIRST_S, LONGEST_S, sleep, retries=RETRIES, jitter=0.5)
    while True:
        try:
            return call()
        except (FileNotFoundError, YoutuError):
            raise
        except Exception as exc:  # packages for fsspec raise errors of many types
            if is_local(address) or not is_passing(exc) or not backoff.pause():
                raise kind(f"expected to {what} {shown(address)}; got: {in_short(exc)}. {remedy_for(exc)}.") from exc


def is_passing(exc: Exception) -> bool:
    """Return whether the same call may succeed in a moment."""
    return isinstance(exc, ConnectionError | TimeoutError) or _PASSING.search(str(exc)) is not None


def remedy_for(exc: Exception) -> str:
    """Return what to do about an error, without a stop at the end."""
    found = (remedy for pattern, remedy in _REMEDIES if re.search(pattern, str(exc), re.IGNORECASE))
    return next(found, "Check the address")
