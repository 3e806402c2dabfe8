"""What servers say when they refuse: the forms of their errors, and what these say of the context.

Sources: vLLM 0.33.0 (entrypoints/serve/engine/protocol.py, renderers/params.py, v1/engine/input_processor.py) and, for
the forms of earlier versions, entrypoints/openai/serving_engine.py; SGLang 0.5.23 (srt/entrypoints/openai/
serving_base.py, srt/managers/tokenizer_manager.py); LMDeploy 0.18.0 (serve/openai/errors.py,
serve/core/async_engine.py); llama.cpp (server-common.cpp); OpenAI's API reference, "Error codes".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SHOWN = 300
"""Characters of a server's message that our messages repeat."""


def excerpt(words: object) -> str:
    """Return a server's words as a message may repeat them: on one line, and cut to `SHOWN` characters."""
    return " ".join(str(words).split())[:SHOWN] or "nothing"


@dataclass(frozen=True)
class Refusal:
    """An error as a server sent it.

    Attributes:
        words: Its message, as `excerpt` cuts it.
        kind: Its type; "" where it has none.
        code: The HTTP status that it names; None where it names none.
    """

    words: str
    kind: str = ""
    code: int | None = None


def read_refusal(data: object) -> Refusal | None:
    """Return the error in a server's JSON; None if there is none.

    Known are OpenAI's form, `{"error": {"message", "type", "code"}}`, the same without the outer object, as SGLang,
    LMDeploy and earlier versions of vLLM send it, `{"error": "words"}`, and FastAPI's `{"detail": ...}`.
    """
    if not isinstance(data, Mapping):
        return None
    error = data.get("error") or (data if data.get("object") == "error" else data.get("detail"))
    if not error:
        return None
    if not isinstance(error, Mapping):
        return Refusal(excerpt(error))
    code = error.get("code")
    return Refusal(excerpt(error.get("message", "")), str(error.get("type") or ""), code if type(code) is int else None)


@dataclass(frozen=True)
class Overflow:
    """What a server says of a prompt that does not fit into its context, alone or with the longest answer asked for.

    Attributes:
        n_context: Tokens that the context holds.
        n_prompt: Tokens of the prompt; None where the server has not counted them all.
    """

    n_context: int
    n_prompt: int | None


_CONTEXT = re.compile(
    r"(?:context (?:length|size)|maximum model length|max_model_len|max_total_tokens)"
    r"(?: is| of)?[ =]?\(?(\d{1,9})(?!\d)"
)
_PROMPT = re.compile(
    r"(?:has|contains) (?P<a>\d{1,9}) input tokens|(?P<b>\d{1,9}) in the messages"
    r"|(?P<c>\d{1,9}) tokens from the input|messages resulted in (?P<d>\d{1,9}) tokens"
    r"|(?:prompt|[Ii]nput|request) \((?:(?:total )?length )?(?P<e>\d{1,9})(?: tokens)?\)"
    r"|[Ii]nput length \((?P<f>\d{1,9})\)"
)


def read_overflow(words: str) -> Overflow | None:
    """Return what a message says of the context; None if it is about something else."""
    context = _CONTEXT.search(words)
    if context is None:
        return None
    prompt = _PROMPT.search(words)
    counted = next(filter(None, prompt.groups())) if prompt else None
    return Overflow(int(context[1]), None if counted is None else int(counted))


_NO_MODEL = re.compile(r"\bmodel\b.{0,200}?\b(?:does not exist|not found)\b", re.IGNORECASE)
_IMAGES = re.compile(r"At most (\d{1,9}) image\(s\)")


def lacks_model(words: str) -> bool:
    """Return whether a message says that the server has no model of the name that was asked for."""
    return _NO_MODEL.search(words) is not None


def most_images(words: str) -> int | None:
    """Return how many images the server takes in one prompt, if a message says that there were more."""
    most = _IMAGES.search(words)
    return int(most[1]) if most else None
