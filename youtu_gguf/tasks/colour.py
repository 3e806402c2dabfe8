"""The main colour of what a phrase describes."""

from typing import Annotated

from youtu_gguf.tasks.base import TaskContext, phrase
from youtu_gguf.tasks.declaration import Phrase, Switch
from youtu_gguf.tasks.text import ask
from youtu_gguf.types import Text


def colour(
    context: TaskContext,
    description: Annotated[str, Phrase("Whose colour to name.", example="the left cup")],
    exact: Annotated[bool, Switch("Ask for a shade, not a basic colour.")] = False,
) -> Text:
    """Name the main colour of what a phrase describes."""
    words = phrase(description, "the description")
    wording = context.wording.shade if exact else context.wording.colour
    return ask(context, wording.format(words))
