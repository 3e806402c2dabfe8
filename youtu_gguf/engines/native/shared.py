"""Answers of all threads, advanced together: the thread that has the turn decodes a token for each of them.

There is no thread for that. A thread that wants the next piece of its answer waits for the turn, and finds there either
that another thread has done the work meanwhile, or that it has to do it for all. What the others get of it waits with
their answers until they take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.native.decoding import Decoder, MakeRoom
from youtu_gguf.engines.native.generation import Generation

AHEAD = 4
"""Most pieces of an answer that wait for its reader. A reader that is slow, or has stopped, leaves its answer behind
there; one whose thread is only scheduled late does not."""

News = Piece | Exception
"""The next piece of an answer, or what ended it."""


class SharedDecodes:
    """The answers that take part. Not thread-safe: use it with the engine's lock held, where nothing else is said.

    It does not keep an answer alive: one that its reader has dropped is no longer advanced.

    Args:
        decoder: Decodes one step of several answers.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._answers: WeakValueDictionary[int, Generation] = WeakValueDictionary()

    def join(self, answer: Generation) -> None:
        """Let an answer take part from now on."""
        self._answers[answer.sequence] = answer

    def leave(self, answer: Generation) -> None:
        """End the part of an answer."""
        if self._answers.get(answer.sequence) is answer:
            del self._answers[answer.sequence]

    def step(self, make_room: MakeRoom) -> None:
        """Advance every answer by a token, except those whose readers are far behind."""
        behind = [answer for answer in list(self._answers.values()) if len(answer.unread) < AHEAD]
        for answer, news in self._decoder.step(behind, make_room):
            answer.unread.append(news)
            if isinstance(news, Exception) or news.finish is not None:
                self.leave(answer)

    @staticmethod
    def take(answers: Sequence[Generation]) -> list[tuple[Generation, News]]:
        """Take what has come for `answers`, in order, in the thread that reads them; needs no lock."""
        return [(answer, answer.unread.popleft()) for answer in answers for _ in range(len(answer.unread))]
