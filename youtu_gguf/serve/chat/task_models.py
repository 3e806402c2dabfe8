"""A task as a model to chat with: the user's words are its argument, and the answer is JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from youtu_gguf.errors import InputError
from youtu_gguf.serve.chat.messages import Picture, pictures_of
from youtu_gguf.serve.chat.wishes import FIELD
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.fields import unsupported
from youtu_gguf.serve.task_requests import TaskQuestion, read_task
from youtu_gguf.serve.values import answer_form, event_json
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.declaration import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.chat.messages import Conversation, Parts
    from youtu_gguf.serve.chat.wishes import Wishes
    from youtu_gguf.serve.fields import Ignored
    from youtu_gguf.serve.results import StoredResult
    from youtu_gguf.tasks.declaration import Argument
    from youtu_gguf.types import Result

_BETWEEN_NAMES = re.compile(r"[,，、;；\n]")

_OF_CHAT_ONLY = ("stop", "json_schema")
"""Options that would cut or change what the task reads its value from."""

_OF_REQUESTS = ("image", "options", "output", "stream", "timeout_s")
"""Fields of our own requests that are no arguments; a chat has these in its own words."""


@dataclass(frozen=True, eq=False)
class TaskAsked:
    """A task, what it is about, and its image.

    Attributes:
        question: The task, checked as a request of our own protocol is.
        picture: The image.
    """

    question: TaskQuestion
    picture: Picture

    def run(self, scene: Scene, options: Mapping[str, Any]) -> Result:
        """Return the value."""
        return scene.run(self.question.task, **self.question.arguments, **options)

    def told(self, result: StoredResult) -> str:
        """Return the JSON of a result, which is that of our own protocol."""
        return event_json(answer_form(result, self.question.output))


def task_asked(
    task: str, conversation: Conversation, options: Mapping[str, Any], wishes: Wishes, ignored: Ignored
) -> TaskAsked:
    """Return what a conversation asks of a task: about the last image that the user showed, with the last words.

    Raises:
        ApiError: There is no image or the last message has several, words are missing, or an option or an argument
            cannot be.
    """
    for name in _OF_CHAT_ONLY:
        if name in options:
            raise unsupported(
                "response_format" if name == "json_schema" else name, f"does not apply to the task {task}"
            )
    for name in _OF_REQUESTS:
        if name in wishes.arguments:
            raise unsupported(f"{FIELD}.arguments.{name}", "is no argument of a task")
    words = TASKS[task].words
    text = " ".join(part for part in conversation.asked if isinstance(part, str))
    arguments = dict(wishes.arguments)
    if words is not None and words.name not in arguments:
        arguments |= _read(task, words, text)
    elif text:
        ignored.add("text")
    if conversation.turns:
        ignored.add("history")
    if conversation.system is not None:
        ignored.add("system")
    picture = _picture(conversation)
    sent = {**arguments, "image": picture.param, **({"output": wishes.output} if wishes.output else {})}
    return TaskAsked(read_task(task, sent).questions[0], picture)


def _read(task: str, words: Argument, text: str) -> dict[str, Any]:
    """Return the argument that `text` is, by its name; none where there is none.

    Raises:
        ApiError: It cannot be the argument, or is missing.
    """
    listed = [name.strip() for name in _BETWEEN_NAMES.split(text)] if isinstance(words.declared, Names) else [text]
    try:
        return TASKS[task].read({words.name: [name for name in listed if name]})
    except InputError as exc:
        raise ApiError(
            400, "invalid_argument", f"the words of the message are the task's: {exc}", param="messages"
        ) from exc


def _picture(conversation: Conversation) -> Picture:
    shown: list[Parts] = [conversation.asked, *(said for said, _ in reversed(conversation.turns))]
    pictures = next(filter(None, map(pictures_of, shown)), ())
    if not pictures:
        raise ApiError(400, "image_required", "a task needs an image; got none. Send one.", param="messages")
    if len(pictures) > 1:
        raise ApiError(
            400,
            "several_images",
            f"a task is about one image; got {len(pictures)} in a message. Send one, or name the model without a task.",
            param="messages",
        )
    return pictures[0]
