"""The names that a client may ask for: the model, and one more for every task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.tasks import TASKS

if TYPE_CHECKING:
    from youtu_gguf.serve.model_facts import ModelFacts

CHAT = "ask"
"""The task that a conversation is; it has no name of its own."""

TASK_NAMES = tuple(name for name in TASKS if name != CHAT)
"""Tasks that have names of their own: `youtu-vl:detect` and so on."""

_LATEST = ":latest"


def model_ids(facts: ModelFacts) -> tuple[str, ...]:
    """Return the names that are listed, that of the model itself first."""
    return facts.id, *(f"{facts.id}:{task}" for task in TASK_NAMES)


def aliases_of(facts: ModelFacts, model_id: str) -> list[str]:
    """Return further names of a listed one."""
    task = model_id.removeprefix(facts.id)
    return [f"{alias}{task}" for alias in facts.aliases] + ([f"{facts.id}{_LATEST}"] if not task else [])


def listed_id(facts: ModelFacts, name: str) -> str:
    """Return the listed name that `name` means, in any case.

    Raises:
        ApiError: There is no such model.
    """
    wanted = name.casefold().removesuffix(_LATEST)
    for model_id in model_ids(facts):
        if wanted in (known.casefold() for known in (model_id, *aliases_of(facts, model_id))):
            return model_id
    raise ApiError(
        404,
        "model_not_found",
        f"there is no model {name[:80]!r}. The models are: {', '.join(model_ids(facts))}.",
        param="model",
    )


def task_of(facts: ModelFacts, model_id: str) -> str | None:
    """Return the task that a listed name stands for; None for the model itself."""
    return model_id.removeprefix(facts.id).removeprefix(":") or None
