"""Answers in words: describing, reading and naming what is there, and any question about it."""

from youtu_gguf.decode.scores import answer_score
from youtu_gguf.tasks.base import View, phrase
from youtu_gguf.types import Text


def ask(view: View, question: str) -> Text:
    """Answer `question` in words."""
    answer = view.answer(phrase(question, "the question"))
    return Text(answer.text.strip(), answer_score(answer))


def reason(view: View, question: str) -> Text:
    """Answer `question` step by step; the steps are part of the answer."""
    return ask(view, view.wording.think.format(phrase(question, "the question")))


def describe(view: View) -> Text:
    """Describe the image."""
    return ask(view, view.wording.describe)


def ocr(view: View) -> Text:
    """Read the text in the image."""
    return ask(view, view.wording.ocr)


def classify(view: View) -> Text:
    """Name the category of the primary object."""
    return ask(view, view.wording.classify)
