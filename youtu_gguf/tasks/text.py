"""Answers in words: describing, reading and naming what is there, and any question about it."""

from youtu_gguf import prompts
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.tasks.base import View, phrase
from youtu_gguf.types import Count, Text


def ask(view: View, question: str) -> Text:
    """Answer `question` in words."""
    return Text(view.answer(phrase(question, "the question")).text.strip())


def describe(view: View) -> Text:
    """Describe the image."""
    return ask(view, prompts.DESCRIBE)


def ocr(view: View) -> Text:
    """Read the text in the image."""
    return ask(view, prompts.OCR)


def classify(view: View) -> Text:
    """Name the category of the primary object."""
    return ask(view, prompts.CLASSIFY)


def count(view: View, what: str) -> Count:
    """Count the objects that `what` names."""
    found = parse_count(view.answer(prompts.count(phrase(what, "what to count"))).text)
    return Count(found.value, issues=found.issues)
