"""Free answers: describing the image, and any question about it."""

from youtu_gguf import prompts
from youtu_gguf.tasks.base import View, phrase
from youtu_gguf.types import Text


def ask(view: View, question: str) -> Text:
    """Answer `question` in words."""
    return Text(view.answer(phrase(question, "the question")).text.strip())


def describe(view: View) -> Text:
    """Describe the image."""
    return ask(view, prompts.DESCRIBE)
