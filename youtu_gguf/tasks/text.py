"""Answers in words: describing, reading and naming what is there, and any question about it."""

from typing import Annotated

from youtu_gguf.decode.scores import answer_score
from youtu_gguf.tasks.base import TaskContext, phrase
from youtu_gguf.tasks.declaration import Phrase
from youtu_gguf.types import Text


def ask(
    context: TaskContext,
    question: Annotated[str, Phrase("What to ask.", example="What is this?", metavar="QUESTION")],
) -> Text:
    """Ask anything about the image."""
    answer = context.answer(phrase(question, "the question"))
    return Text(answer.text.strip(), answer_score(answer))


def reason(
    context: TaskContext,
    question: Annotated[str, Phrase("What to think about.", example="Is it safe to cross?", metavar="QUESTION")],
) -> Text:
    """Ask anything, to be answered step by step.

    The steps are part of the answer.
    """
    return ask(context, context.wording.think.format(phrase(question, "the question")))


def describe(context: TaskContext) -> Text:
    """Describe the image."""
    return ask(context, context.wording.describe)


def ocr(context: TaskContext) -> Text:
    """Read the text in the image."""
    return ask(context, context.wording.ocr)


def classify(context: TaskContext) -> Text:
    """Name the category of the primary object."""
    return ask(context, context.wording.classify)
