"""Where to click on a screenshot, and what else to do there."""

from youtu_gguf.decode.actions import parse_action
from youtu_gguf.tasks.base import TaskContext, phrase, placed
from youtu_gguf.types import Action


def click(context: TaskContext, instruction: str) -> Action:
    """Find the action that does what `instruction` says on the screen that the image shows.

    The system text declares a tool (`prompts.computer_use`), so the image is read anew for the first question of this
    kind. The instruction follows the image.
    """
    words = phrase(instruction, "the instruction")
    prepared = context.transform.prepared
    answer = context.answer(words, system=context.wording.clicking(*prepared))
    found = parse_action(answer.text, size=prepared)
    xy = None if found.xy is None else context.transform.to_source(found.xy)
    return Action(found.name, xy, found.arguments, issues=placed(found.issues, answer))
