"""What answers look like in OpenAI's chat protocol, with llama-server's additions: pure functions of an answer."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from youtu_gguf.serve.chat.answering import Answered

_MS = 1000.0


def usage(answered: Answered) -> dict[str, Any]:
    """Return how many tokens an answer took."""
    spent = answered.timings
    return {
        "prompt_tokens": spent.n_prompt,
        "completion_tokens": spent.n_generated,
        "total_tokens": spent.n_prompt + spent.n_generated,
        "prompt_tokens_details": {
            "cached_tokens": spent.n_cached,
            "image_tokens": spent.n_image_tokens,
            "text_tokens": max(0, spent.n_prompt - spent.n_image_tokens),
        },
    }


def timings(answered: Answered) -> dict[str, Any]:
    """Return where the time went, as llama-server says it; its names, and `queue_ms` and `encode_ms` beside them."""
    spent = answered.timings
    n_prompt, prompt_ms = spent.n_prompt - spent.n_cached, _MS * (spent.encode_s + spent.prefill_s)
    predicted_ms = _MS * spent.generate_s
    return {
        "cache_n": spent.n_cached,
        "prompt_n": n_prompt,
        "prompt_ms": round(prompt_ms, 3),
        "prompt_per_second": _rate(n_prompt, prompt_ms),
        "predicted_n": spent.n_generated,
        "predicted_ms": round(predicted_ms, 3),
        "predicted_per_second": _rate(spent.n_generated, predicted_ms),
        "encode_ms": round(_MS * spent.encode_s, 3),
        "queue_ms": round(_MS * answered.queue_s, 3),
    }


def _rate(n: int, ms: float) -> float:
    return round(_MS * n / ms, 3) if ms > 0 else 0.0


def finish_reason(answered: Answered) -> str:
    """Return "stop" where an answer ended by itself, else "length": `own_part` says which limit it was."""
    return "stop" if answered.is_whole else "length"


def own_part(answered: Answered) -> dict[str, Any]:
    """Return what is said beside the protocol: values in source pixels, and why an answer ended early."""
    found = dict(answered.decoded or {})
    if not answered.is_whole and answered.finish != "length":
        found["finish"] = answered.finish
    return {"youtu": found} if found else {}


@dataclass(frozen=True)
class Completion:
    """One answer to be, with what all of its parts repeat.

    Attributes:
        model: Name of the model.
        id: Its name.
        created: When it was asked for, in seconds since 1970.
    """

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answered: Answered) -> dict[str, Any]:
        """Return the answer as one object."""
        message = {"role": "assistant", "content": answered.text, "refusal": None, **own_part(answered)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(answered)}
        return {
            **self._common("chat.completion"),
            "choices": [choice],
            "usage": usage(answered),
            "timings": timings(answered),
        }

    def chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        """Return a part of a streamed answer."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._common("chat.completion.chunk"), "choices": [choice]}

    def last(self, answered: Answered) -> dict[str, Any]:
        """Return the part that says why a streamed answer ended."""
        return {**self.chunk(own_part(answered), finish_reason(answered)), "timings": timings(answered)}

    def counts(self, answered: Answered) -> dict[str, Any]:
        """Return the part that follows the last one where the client wants `usage`."""
        return {
            **self._common("chat.completion.chunk"),
            "choices": [],
            "usage": usage(answered),
            "timings": timings(answered),
        }

    def _common(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}
