"""What answers look like in Ollama's protocol: pure functions of an answer, and of what is known of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from youtu_gguf.facts import REPEAT_PENALTY, TEMPERATURE, TOP_P
from youtu_gguf.prompts import TEMPLATE
from youtu_gguf.serve.chat.openai_shapes import finish_reason, own_part

if TYPE_CHECKING:
    from youtu_gguf.serve.chat.answering import Answered
    from youtu_gguf.serve.model_facts import ModelFacts

_NS = 1e9

NEVER = "9999-12-31T23:59:59Z"
"""When a model is unloaded that stays."""


def stamp(seconds: float) -> str:
    """Return seconds since 1970 as Ollama writes times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Reply:
    """The lines of one answer.

    Attributes:
        model: Name of the model, as the client gave it.
        of_chat: Whether it answers `/api/chat`, and not `/api/generate`.
    """

    model: str
    of_chat: bool
    created_at: str = field(default_factory=lambda: stamp(datetime.now(UTC).timestamp()))

    def piece(self, text: str) -> dict[str, Any]:
        """Return a line with a piece of the answer."""
        return {**self._said(text), "done": False}

    def last(self, answered: Answered, text: str = "") -> dict[str, Any]:
        """Return the line that ends an answer; with all of its `text` where it is the only one."""
        spent = answered.timings
        remembered: dict[str, Any] = {} if self.of_chat else {"context": []}  # nothing: clients look for the field
        return {
            **self._said(text),
            "done": True,
            "done_reason": finish_reason(answered),
            **remembered,
            "total_duration": round(_NS * answered.total_s),
            "load_duration": 0,
            "prompt_eval_count": spent.n_prompt,
            "prompt_eval_duration": round(_NS * (spent.encode_s + spent.prefill_s)),
            "eval_count": spent.n_generated,
            "eval_duration": round(_NS * spent.generate_s),
            "cached_tokens": spent.n_cached,
            **own_part(answered),
        }

    def loaded(self) -> dict[str, Any]:
        """Return the answer to a request without words, which asks for the model to be loaded."""
        return {**self._said(""), "done": True, "done_reason": "load"}

    def _said(self, text: str) -> dict[str, Any]:
        about: dict[str, Any] = {"model": self.model, "created_at": self.created_at}
        if self.of_chat:
            return {**about, "message": {"role": "assistant", "content": text}}
        return {**about, "response": text}


def listed(facts: ModelFacts, model_id: str) -> dict[str, Any]:
    """Return a model as `/api/tags` lists it."""
    name = model_id if ":" in model_id else f"{model_id}:latest"
    return {
        "name": name,
        "model": name,
        "modified_at": stamp(facts.modified_at),
        "size": facts.size,
        "digest": facts.digest,
        "details": details(facts),
    }


def running(facts: ModelFacts, expires_at: str) -> dict[str, Any]:
    """Return the loaded model as `/api/ps` lists it."""
    about = {name: value for name, value in listed(facts, facts.id).items() if name != "modified_at"}
    return {**about, "expires_at": expires_at, "size_vram": 0, "context_length": facts.n_ctx}


def shown(facts: ModelFacts) -> dict[str, Any]:
    """Return what `/api/show` says of a model."""
    architecture, projector = facts.architectures
    info = {
        "general.architecture": architecture,
        "general.parameter_count": facts.n_params,
        f"{architecture}.context_length": facts.n_ctx,
        f"{projector}.has_vision_encoder": True,
    }
    return {
        "details": details(facts),
        "model_info": {name: value for name, value in info.items() if value is not None},
        "template": TEMPLATE,
        "parameters": f"temperature {TEMPERATURE}\ntop_p {TOP_P}\nrepeat_penalty {REPEAT_PENALTY}",
        "capabilities": ["completion", "vision"],
        "modified_at": stamp(facts.modified_at),
    }


def details(facts: ModelFacts) -> dict[str, Any]:
    """Return the sizes of a model in Ollama's words."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": facts.architectures[0],
        "families": list(facts.architectures),
        "parameter_size": facts.parameter_size,
        "quantization_level": facts.quantisation,
    }
