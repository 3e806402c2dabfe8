"""Where to click on a screenshot, and what else to do there."""

from typing import Annotated

from youtu_gguf.decode.actions import parse_action
from youtu_gguf.tasks.base import TaskContext, at_zoom, phrase, placed
from youtu_gguf.tasks.declaration import Phrase
from youtu_gguf.types import Action, placed_spans


def click(
    context: TaskContext,
    instruction: Annotated[str, Phrase("What to do.", example="open the settings", metavar="INSTRUCTION")],
) -> Action:
    """Find where to click on a screenshot.

    Nothing is clicked. The value is the action that does what the instruction says, with its point in pixels of the
    image.
    """
    # The system text declares a tool (`prompts.computer_use`): the first question of this kind reads the image anew.
    words = phrase(instruction, "the instruction")
    with at_zoom(context, 1) as frame:
        transform = frame.transform
        answer = frame.answer(words, system=frame.wording.clicking(*transform.prepared))
    found = parse_action(answer.text, size=transform.prepared)
    xy = None if found.xy is None else transform.to_source(found.xy)
    spans = placed_spans(found.spans, answer.offset) or None
    return Action(found.name, xy, found.arguments, spans, issues=placed(found.issues, answer))
