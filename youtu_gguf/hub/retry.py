"""Errors of a hub: after which another try may succeed, and how they are explained to the user."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TypeVar

import httpx2
from huggingface_hub import constants, get_session
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError

from youtu_gguf.backoff import Backoff
from youtu_gguf.errors import ModelFileError

T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S, RETRIES = 1.0, 8.0, 4
"""Pauses between tries; when bytes arrive, they start again from the first."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""HTTP statuses after which another try may succeed."""
PROXIES = "a proxy variable (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY)"
"""How messages call them: their values may hold passwords."""
_REASONS = {
    401: "the hub asks for a token, or there is no such repository (401). Check the name; for a private one "
    "set HF_TOKEN, or run `hf auth login`.",
    403: "the hub refuses it (403). Accept the terms on the repository's page, with the account of your HF_TOKEN.",
    404: "there is no such repository or file (404). Check the name.",
}


def new_backoff() -> Backoff:
    """Return the pauses between tries at a hub."""
    return Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S, time.sleep, retries=RETRIES)


def pause_or_raise(backoff: Backoff, error: httpx2.HTTPError) -> None:
    """Pause until another try makes sense, or raise `error` if none does."""
    asked = 0.0
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in PASSING:
            raise error
        asked = seconds_asked(error.response) or 0.0
    if not backoff.pause(asked):
        raise error


def seconds_asked(response: httpx2.Response) -> float | None:
    """Return the pause that the server asks for, if it gives one in seconds."""
    value = response.headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch(r"\d{1,9}", value) else None


def with_retries(attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns, after retries where they may help.

    Raises:
        httpx2.HTTPError: They did not help.
    """
    backoff = new_backoff()
    while True:
        try:
            return attempt()
        except (HfHubHTTPError, httpx2.TimeoutException) as exc:
            pause_or_raise(backoff, exc)


def connected() -> httpx2.Client:
    """Return huggingface-hub's HTTP client.

    Raises:
        ModelFileError: The variables for proxies or certificates cannot be used; names them.
    """
    try:
        return get_session()
    except ImportError as exc:
        raise ModelFileError(
            f"{PROXIES} names a SOCKS proxy, which needs another package. Install it with "
            '`pip install "youtu_gguf[socks]"`, or unset the variable.'
        ) from exc
    except (ValueError, httpx2.InvalidURL) as exc:
        raise ModelFileError(
            f"expected {PROXIES} to be like http://HOST:PORT or socks5h://HOST:PORT; got something else. Correct or "
            "unset it."
        ) from exc
    except OSError as exc:
        raise ModelFileError(
            f"expected certificates in the file that SSL_CERT_FILE names; got: {exc}. Correct or unset it."
        ) from exc


def explained(error: Exception, what: str) -> str:
    """Return why `what` could not be fetched from the hub, and what to do."""
    return f"{what} could not be fetched: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set. Unset it."
    if isinstance(error, httpx2.TooManyRedirects):
        return f"{constants.ENDPOINT} redirects in a circle. Check HF_ENDPOINT if you set it."
    if not isinstance(error, HfHubHTTPError):
        return (
            f"{constants.ENDPOINT} does not answer ({type(error).__name__}: {error}). Check the network, and "
            "HF_ENDPOINT and the proxy variables if you set them; then run the same command again."
        )
    status = 403 if isinstance(error, GatedRepoError) else error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return "there is no such revision (404). Check what follows the @."
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        asked = seconds_asked(error.response)
        when = f"in {asked:,.0f} s" if asked else "later"
        return f"too many requests from here (429). Run the same command again {when}; a token (HF_TOKEN) allows more."
    passing = f"the hub has an internal error ({status}). Run the same command again later."
    other = f"the hub answers {status}. Check the name, and run the same command again later."
    return _REASONS.get(status, passing if status in PASSING else other)
