"""What a server says of itself in its list of models, and the fields beyond OpenAI's that its kind knows.

Sources: vLLM 0.33.0 (entrypoints/openai/chat_completion/protocol.py, entrypoints/serve/engine/protocol.py), SGLang
0.5.23 (srt/entrypoints/openai/protocol.py), LMDeploy 0.18.0 (serve/openai/protocol.py), llama-server's README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from youtu_gguf.config import PENALTY_LAST_N, TOP_K, Sampling

LLAMA_SERVER, VLLM, SGLANG, LMDEPLOY = "llamacpp", "vllm", "sglang", "lmdeploy"
"""What these servers say they are, as `owned_by` in their lists of models."""


@dataclass(frozen=True)
class Served:
    """A model as a server offers it.

    Attributes:
        name: Its name there.
        kind: The server's program, such as `VLLM`; "" where it is unknown.
        n_context: Tokens of the prompt and the answer together; None where the server does not say.
    """

    name: str
    kind: str = ""
    n_context: int | None = None


def read_models(listed: Any) -> list[Served]:
    """Return the models of a server's list, in its order.

    An adapter has the context of its base model.

    Raises:
        TypeError, LookupError, AttributeError: It is no such list, or an empty one.
    """
    cards: list[Mapping[str, Any]] = [card for card in listed["data"] if "id" in card]
    contexts = {card["id"]: _positive(card.get("max_model_len")) for card in cards}
    models = [
        Served(str(card["id"]), str(card.get("owned_by", "")), contexts[card["id"]] or contexts.get(card.get("parent")))
        for card in cards
    ]
    if not models:
        raise LookupError("no models")
    return models


def find_served(models: Sequence[Served], name: str) -> Served:
    """Return the model of that name. One that is not listed has the kind of the first."""
    return next((model for model in models if model.name == name), Served(name, models[0].kind))


def _positive(value: object) -> int | None:
    return value if type(value) is int and value > 0 else None


def beyond_openai(kind: str, sampling: Sampling) -> dict[str, Any]:
    """Return the fields of a request that OpenAI's API does not have.

    A server of a known kind gets those of its own. Any other gets all of them, because behind a proxy there may be any
    server, and those listed above ignore the fields that they do not know.
    """
    llama_server = {
        "repeat_penalty": sampling.repeat_penalty,
        "repeat_last_n": PENALTY_LAST_N,
        "reasoning_format": "none",  # it must not look for reasoning in an answer
        "return_progress": True,
    }
    # Tags and coordinates are special tokens there: by default they are left out, or have blanks between them.
    others = {"repetition_penalty": sampling.repeat_penalty, "skip_special_tokens": False}
    close = {"spaces_between_special_tokens": False}
    fields: dict[str, Any] = {"top_k": TOP_K, "min_p": 0}
    if kind == LLAMA_SERVER:
        return fields | llama_server
    if kind in (VLLM, LMDEPLOY):
        return fields | others | close
    if kind == SGLANG:
        return fields | others | {"chat_template_kwargs": close}  # where it looks for that field
    return fields | llama_server | others | close
