"""When to ask a hub again, for how long, and what to tell the user in the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

T = TypeVar("T")

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try; bytes that arrive start the row again. After the last the error is raised."""
LONGEST_WAIT_S = 300.0
"""A server that wants to be left alone for longer than this is obeyed by giving up."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP answers that another try may better."""
_REASONS = {
    401: "the hub wants to know who you are, or there is no such repository (401). Check the name; for a private one "
    "set HF_TOKEN, or run `hf auth login`.",
    403: "the hub refuses it (403). Accept the terms on the repository's page, with the account that HF_TOKEN is of.",
    404: "there is no such repository or file (404). Check the name.",
}


class Backoff:
    """How often to try again, and when: counts the tries that have brought nothing."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Something arrived: be as patient as at first."""
        self._failures = 0

    def wait(self, error: httpx2.HTTPError) -> None:
        """Sleep until another try makes sense, or raise `error` where it does not."""
        asked: float | None = None
        if isinstance(error, HfHubHTTPError):
            if error.response.status_code not in PASSING:
                raise error
            asked = seconds_asked(error.response)
        if self._failures == len(WAITS_S) or (asked or 0) > LONGEST_WAIT_S:
            raise error
        time.sleep(WAITS_S[self._failures] if asked is None else asked)
        self._failures += 1


def seconds_asked(response: httpx2.Response) -> float | None:
    """Return how long the server wants to be left alone, if it says so in seconds."""
    value = response.headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch(r"\d{1,9}", value) else None


def with_retries(attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns, once the server's passing troubles are over.

    Raises:
        httpx2.HTTPError: They are not over, or do not pass.
    """
    backoff = Backoff()
    while True:
        try:
            return attempt()
        except (HfHubHTTPError, httpx2.TimeoutException) as exc:
            backoff.wait(exc)


def explained(error: Exception, what: str) -> str:
    """Say why `what` could not be had from the hub, and what to do."""
    return f"{what} could not be fetched: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set. Unset it."
    if not isinstance(error, HfHubHTTPError):
        return (
            f"{constants.ENDPOINT} does not answer ({type(error).__name__}: {error}). Check the network, and "
            "HF_ENDPOINT and the proxy variables if you set them; then run the same again."
        )
    status = 403 if isinstance(error, GatedRepoError) else error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return "there is no such revision (404). Check what follows the @."
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        asked = seconds_asked(error.response)
        when = f"in {asked:,.0f} s" if asked else "later"
        return f"too many requests from here (429). Run the same again {when}; a token (HF_TOKEN) allows more."
    passing = f"the hub has trouble of its own ({status}). Run the same again later."
    other = f"the hub answers {status}. Check the name, and run the same again later."
    return _REASONS.get(status, passing if status in PASSING else other)
