"""From the messages of a chat protocol to a conversation: a system text, turns, and what is asked now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.inputs import check_text

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as it was sent, not looked at yet.

    Attributes:
        value: What `find_image` takes.
        param: Where it stood in the request, for messages.
    """

    value: object
    param: str


Part = str | Picture
"""Words, or an image among them."""

Parts = tuple[Part, ...]

MAX_MESSAGES = 1000
"""Messages of a request. More do not fit into a context."""

MAX_TALK = 1 << 19
"""Characters of all messages. More do not fit into a context, and would be tokenised before that is known."""

MAX_IMAGES = 64
"""Images of a request."""


@dataclass(frozen=True, eq=False)
class Message:
    """What someone said, in the order in which it was sent.

    Attributes:
        role: Who.
        parts: Words and images.
    """

    role: Role
    parts: Parts


@dataclass(frozen=True, eq=False)
class Conversation:
    """What is asked, and what was said before.

    Attributes:
        turns: Earlier turns: what the user said, with its words last, and the answer.
        asked: What the user says now, its words last.
        system: The system text; None means the model's own.
    """

    turns: tuple[tuple[Parts, str], ...]
    asked: Parts
    system: str | None = None

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """All images, the first one first."""
        return pictures_of((*(part for said, _ in self.turns for part in said), *self.asked))


def pictures_of(parts: Parts) -> tuple[Picture, ...]:
    """Return the images among what was said."""
    return tuple(part for part in parts if isinstance(part, Picture))


def conversation_of(messages: Sequence[Message], *, needs_words: bool = True) -> Conversation:
    """Return messages as a conversation.

    Several messages in a row of one role are one message. Where no words follow the last image of a message, images
    are put before words, as the model was trained: see `words_last`.

    Args:
        messages: The first one first.
        needs_words: Whether each of the user's must have words.

    Raises:
        ApiError: They are no conversation that ends with the user's words, or are too many.
    """
    n_images = sum(len(pictures_of(message.parts)) for message in messages)
    for what, n, most in (("messages", len(messages), MAX_MESSAGES), ("images", n_images, MAX_IMAGES)):
        if n > most:
            raise _refused(f"a request may have {most} {what}; got {n}. Leave some out")
    _check_texts(messages)
    joined = [
        (role, tuple(part for message in group for part in message.parts))
        for role, group in groupby(messages, key=lambda message: message.role)
    ]
    system = None
    if joined and joined[0][0] == "system":
        system = _words(joined[0][1], "the system", "\n\n") or None
        joined = joined[1:]
    roles = [role for role, _ in joined]
    if "system" in roles:
        raise _refused("system messages stand at the beginning; got one further on. Move it there")
    if not roles or roles[-1] != "user":
        raise _refused("the last message must be the user's, which is answered; got none or another")
    if roles[0] != "user":
        raise _refused("the first message after the system's must be the user's; got the assistant's. Leave it out")
    said = [words_last(parts, needs_words=needs_words) for _, parts in joined[0::2]]
    answers = [_answer(parts) for _, parts in joined[1::2]]
    return Conversation(tuple(zip(said, answers, strict=False)), said[-1], system)


def words_last(parts: Parts, *, needs_words: bool = True) -> Parts:
    """Return what the user said, with words at its end.

    Words that follow each other become one text. Where words follow the last image the order stays. Otherwise:

    - images that stand together go before all words: "text, image" becomes "image, text";
    - of words with images among them, the first text, where another one follows it before the first image, is what is
      asked about all of them ("prompt, caption, image, caption, image"), and goes to the end;
    - else the last text goes behind the images that follow it.

    Raises:
        ApiError: There are no words, but they are needed.
    """
    runs = [(is_text, list(group)) for is_text, group in groupby(_said(parts), key=lambda part: isinstance(part, str))]
    if not any(is_text for is_text, _ in runs):
        if not needs_words:
            return pictures_of(parts)
        raise _refused("a message of the user needs words; got none. Say what to do with the image")
    if not runs[-1][0]:
        runs = _moved(runs)
    found: list[Part] = []
    for is_text, group in runs:
        found += [_text(tuple(group))] if is_text else group
    return tuple(found)


_Runs = list[tuple[bool, list[Part]]]
"""Parts in groups, alternately words (True) and images."""


def _moved(runs: _Runs) -> _Runs:
    """Return groups that end with images, with words at their end."""
    *before, (_, words), (_, images) = runs
    if not before:
        return [(False, images), (True, words)]
    starts_with_words, first = before[0]
    if starts_with_words and len(first) > 1:
        return [(True, first[1:]), *runs[1:], (True, first[:1])]
    return [*before[:-1], (False, [*before[-1][1], *images]), (True, words)]


def _said(parts: Parts) -> list[Part]:
    """Return the parts without empty words."""
    return [part for part in parts if not isinstance(part, str) or part.strip()]


def _answer(parts: Parts) -> str:
    text = _words(parts, "the assistant")
    if not text:
        raise _refused("a message of the assistant needs words; got none. Leave it out")
    return text


def _words(parts: Parts, whose: str, between: str = "\n") -> str:
    if pictures_of(parts):
        raise _refused(f"a message of {whose} has words only; got an image. Show it in the user's")
    return _text(parts, between)


def _text(parts: Sequence[Part], between: str = "\n") -> str:
    return between.join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def _check_texts(messages: Sequence[Message]) -> None:
    texts = [check_text(part, "messages") for message in messages for part in message.parts if isinstance(part, str)]
    if sum(map(len, texts)) > MAX_TALK:
        raise ApiError(
            400,
            "context_length_exceeded",
            f"the messages of a request may have {MAX_TALK} characters together; these have more. Leave some out.",
            param="messages",
        )


def _refused(what: str) -> ApiError:
    return ApiError(400, "invalid_argument", f"{what}.", param="messages")
