"""From what is asked to its answer: done in a worker thread, with the package's own conversations and tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from youtu_gguf.output import to_json
from youtu_gguf.serve.chat.messages import conversation_of
from youtu_gguf.serve.chat.models import listed_id, task_of
from youtu_gguf.serve.chat.task_models import TaskAsked, task_asked
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.events import Piece
from youtu_gguf.serve.inputs import find_image
from youtu_gguf.serve.results import StoredResult, source_of
from youtu_gguf.types import Finish, Result, Timings

if TYPE_CHECKING:
    from youtu_gguf.model import Model
    from youtu_gguf.scene.chat import Chat
    from youtu_gguf.scene.scene import Scene
    from youtu_gguf.serve.chat.messages import Conversation, Message, Parts, Picture
    from youtu_gguf.serve.chat.wishes import Wishes
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.fields import Ignored
    from youtu_gguf.serve.images import StoredImage
    from youtu_gguf.serve.jobs import Job


@dataclass(frozen=True, eq=False)
class Answered:
    """An answer.

    Attributes:
        text: All of it, as the model wrote it; of a task its JSON.
        finish: Why it ended.
        timings: Where the time went, and how many tokens there were.
        queue_s: Seconds that the request waited.
        total_s: Seconds from the request to the answer.
        decoded: What the text says about places, in pixels of the source image, where that was asked for.
    """

    text: str
    finish: Finish
    timings: Timings
    queue_s: float = 0.0
    total_s: float = 0.0
    decoded: dict[str, Any] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it ended by itself, and not at a limit or because it was endless."""
        return self.finish in ("stop", "none")


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked, with its images found.

    Attributes:
        model_id: The listed name of the model.
        conversation: What is asked, and what was said before.
        options: How to answer, as `Options`.
        images: What was sent, by where it stands in the conversation.
        task: The task that is asked instead of a conversation; None for a conversation.
        decode: Whether the places in the answer are wanted as values too.
    """

    model_id: str
    conversation: Conversation
    options: Mapping[str, Any]
    images: Mapping[Picture, StoredImage] = field(repr=False)
    task: TaskAsked | None = None
    decode: bool = False

    def work(self, core: Core, *, stream: bool) -> Callable[[Job[Answered]], Answered]:
        """Return what is done in a thread; with `stream` it reports the pieces of the answer."""

        def answer(job: Job[Answered]) -> Answered:
            report = (lambda text: job.emit(Piece(0, text))) if stream else _no_report
            with core.holder.use() as model, ExitStack() as opened:
                scenes = {picture: opened.enter_context(image.open(model)) for picture, image in self.images.items()}
                options = {**self.options, "cancel": job.cancel}
                if len(self.images) == 1:
                    (image,) = self.images.values()
                    options["progress"] = image.note_step
                if self.task is None:
                    value = self._converse(model, scenes, options, report)
                    text, decoded = value.raw, self._decoded(value.raw, scenes)
                else:
                    value, decoded = self.task.run(scenes[self.task.picture], options), None
                    text = self.task.told(self._kept(core, scenes, value, job))
                    report(text)
                if value.finish not in ("cancelled", "time"):
                    for image in self.images.values():
                        image.note_read()
            job.note("chat" if self.task is None else self.task.question.task, value)
            total_s = time.perf_counter() - job.began
            return Answered(text, value.finish, value.timings, job.queue_s, total_s, decoded)

        return answer

    def _converse(
        self, model: Model, scenes: Mapping[Picture, Scene], options: dict[str, Any], report: Callable[[str], None]
    ) -> Result:
        talk = self.conversation
        system = {} if talk.system is None else {"system": talk.system}
        with model.chat(**system) as chat:
            for said, reply in talk.turns:
                chat.add(_say(chat, said, scenes), reply)
            with chat.ask(_say(chat, talk.asked, scenes), stream=True, **options) as pieces:
                for piece in pieces:
                    report(piece)
            value = chat.last
        assert value is not None
        return value

    def _kept(self, core: Core, scenes: Mapping[Picture, Scene], value: Result, job: Job[Answered]) -> StoredResult:
        """Keep the value of the task, so that its pixels can be asked for later."""
        assert self.task is not None
        image, total_s = self.images[self.task.picture], time.perf_counter() - job.began
        question = self.task.question
        source = source_of(scenes[self.task.picture], image.id, question.task, question.arguments)
        result = StoredResult(value, question.task, image.id, job.id, None, job.queue_s, total_s, source)
        return core.results.add(result)

    def _decoded(self, text: str, scenes: Mapping[Picture, Scene]) -> dict[str, Any] | None:
        if not self.decode:
            return None
        (scene,) = scenes.values()
        boxes, polygons = scene.decode(text)
        flaws = dict.fromkeys((*boxes.issues, *polygons.issues))
        issues = [{"message": flaw.message, "start": flaw.start, "end": flaw.end} for flaw in flaws]
        return {"boxes": to_json(boxes)["boxes"], "polygons": to_json(polygons)["polygons"], "issues": issues}


async def find_asked(
    core: Core,
    model: str,
    messages: Sequence[Message],
    options: Mapping[str, Any],
    wishes: Wishes,
    ignored: Ignored,
) -> Asked:
    """Return what a request asks, checked as far as that is possible before its turn, with its images found.

    Args:
        core: The server.
        model: Name of the model, as the client gave it.
        messages: What was said, the first message first.
        options: How to answer.
        wishes: What our own protocol has.
        ignored: Where what has no effect is noted.

    Raises:
        ApiError: There is no such model, an image cannot be used, or the conversation is none.
    """
    facts = core.holder.facts
    model_id = listed_id(facts, model)
    task_name = task_of(facts, model_id)
    talk = conversation_of(messages, needs_words=task_name is None)
    task = None if task_name is None else task_asked(task_name, talk, options, wishes, ignored)
    ignored.add(*wishes.without_effect(task=task is not None))
    if wishes.decode and task is None and len(talk.pictures) != 1:
        raise ApiError(
            400,
            "several_images" if talk.pictures else "image_required",
            f"youtu.decode needs one image, whose pixels are meant; got {len(talk.pictures)}. Leave it out.",
            param="youtu.decode",
        )
    wanted = talk.pictures if task is None else (task.picture,)
    images = {picture: await _find(core, picture) for picture in wanted}
    return Asked(model_id, talk, options, images, task, wishes.decode and task is None)


async def _find(core: Core, picture: Picture) -> StoredImage:
    try:
        return await find_image(core, picture.value, picture.param)
    except ApiError as error:
        error.param = picture.param
        raise


def _say(chat: Chat, said: Parts, scenes: Mapping[Picture, Scene]) -> str:
    """Attach what stands before the last words of `said`; return those."""
    *before, question = said
    for part in before:
        if isinstance(part, str):
            chat.attach_text(part)
        else:
            chat.attach(scenes[part])
    assert isinstance(question, str)  # `messages.words_last` sees to it
    return question


def _no_report(_text: str) -> None:
    """Report nothing."""
