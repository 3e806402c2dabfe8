"""Answers in words: describing, reading and naming what is there, and any question about it."""

from youtu_gguf.decode.scores import answer_score
from youtu_gguf.tasks.base import TaskContext, phrase
from youtu_gguf.types import Text


def ask(context: TaskContext, question: str) -> Text:
    """Answer `question` in words."""
    answer = context.answer(phrase(question, "the question"))
    return Text(answer.text.strip(), answer_score(answer))


def reason(context: TaskContext, question: str) -> Text:
    """Answer `question` step by step; the steps are part of the answer."""
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
