"""Errors of a server as the caller should see them: who must act, and what to do."""

from __future__ import annotations

from typing import Protocol

import requests

from youtu_gguf.engines.http.refusals import lacks_model, most_images, read_overflow
from youtu_gguf.engines.http.transport import RefusedError
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CapabilityError, InputError, ModelFileError, ServerError

CONTEXT_EXCEEDED = ("exceed_context_size_error", "context_length_exceeded")
"""Types of errors about a prompt that does not fit: llama-server's (server-common.cpp) and OpenAI's."""

CONTEXT_FULL = ("Context size has been exceeded", "failed to process mtmd chunk")
"""llama-server's messages when answers together have filled the context: to all of them, or to one whose image no
longer fits (server-context.cpp)."""


class Asked(Protocol):
    """The engine that asked."""

    @property
    def name(self) -> str:
        """Name of the engine."""
        ...

    @property
    def model(self) -> str:
        """Name of the model on the server."""
        ...

    @property
    def n_slots(self) -> int:
        """Calls that are made at once."""
        ...

    def list_models(self) -> list[str]:
        """Return the names of the models that the server has."""
        ...


def is_refused(error: RefusedError) -> bool:
    """Return whether the request itself was refused, so that it must not be sent again as it is."""
    return not error.retry and error.status not in (requests.codes.unauthorized, requests.codes.forbidden)


def explained(error: BaseException, prefix: Prefix, engine: Asked) -> BaseException:
    """Return `error` as the caller should see it, after a question about `prefix`."""
    if not isinstance(error, RefusedError):
        return error
    if any(words in error.words for words in CONTEXT_FULL):
        return ServerError(
            f"up to {engine.n_slots} answers at a time, each with its image, have filled the context that they "
            f"share; the server says: {error.words.rstrip('.')}. "
            "Ask again, with a lower n_slots or a higher n_ctx.",
            retry=True,
        )
    if not is_refused(error):
        return error
    if error.kind in CONTEXT_EXCEEDED or read_overflow(error.words) is not None:
        return InputError(
            f"the question and what precedes it do not fit: {error.words.rstrip('.')}. "
            f"Raise n_ctx, or the context of the server, or lower image_max_tokens{prefix.instead}."
        )
    if lacks_model(error.words):
        listed = ", ".join(engine.list_models()) or "none"
        return ModelFileError(
            f'expected a model that {engine.name} has; it has none of the name "{engine.model}". It lists {listed}. '
            "Name one of these."
        )
    return _about_images(error, engine)


def _about_images(error: RefusedError, engine: Asked) -> Exception:
    most = most_images(error.words)
    if most is None:
        return error
    if most == 0:
        return CapabilityError(
            f'"{engine.model}" at {engine.name} takes no images: {error.words} Name a model that does.'
        )
    return InputError(
        f"expected at most {most} images in a conversation with {engine.name}: {error.words} "
        "Start vLLM with a higher --limit-mm-per-prompt, or begin another conversation."
    )
