"""Answers in words: describing, reading and naming what is there, and any question about it."""

from youtu_gguf.decode.counts import parse_count
from youtu_gguf.decode.scores import answer_score, item_score
from youtu_gguf.tasks.base import View, phrase, placed
from youtu_gguf.types import Count, Text


def ask(view: View, question: str) -> Text:
    """Answer `question` in words."""
    answer = view.answer(phrase(question, "the question"))
    return Text(answer.text.strip(), answer_score(answer))


def describe(view: View) -> Text:
    """Describe the image."""
    return ask(view, view.wording.describe)


def ocr(view: View) -> Text:
    """Read the text in the image."""
    return ask(view, view.wording.ocr)


def classify(view: View) -> Text:
    """Name the category of the primary object."""
    return ask(view, view.wording.classify)


def count(view: View, what: str) -> Count:
    """Count the objects that `what` names."""
    answer = view.answer(view.wording.count.format(phrase(what, "what to count")))
    found = parse_count(answer.text)
    return Count(found.value, item_score(answer, found.spans), issues=placed(found.issues, answer))
