"""Answers while they are generated: one answer's tokens and its end, and what several decode together."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from youtu_gguf.engines.base import Piece, Request
from youtu_gguf.engines.native.drafting import Drafter
from youtu_gguf.engines.native.llama.handles import SHORT
from youtu_gguf.engines.native.segments import n_common
from youtu_gguf.engines.repetition import LoopGuard
from youtu_gguf.engines.stops import StopSearch
from youtu_gguf.types import Finish

if TYPE_CHECKING:
    from youtu_gguf.engines.native.llama.handles import LlamaModel
    from youtu_gguf.engines.native.payer import Payer
    from youtu_gguf.engines.native.sampling import Drawn, Sampler


UNDECIDED = Piece("")
"""Stands for a step whose piece is held back: it may belong to a stop string."""


class Generation:
    """Turns tokens into pieces of whole characters and enforces the limits of the request.

    Args:
        request: The question, its sampling and its cancel event.
        model: Gives the text of a token and tells which tokens end an answer.
        sampler: Draws the tokens of this answer.
        asked: Tokens of the question.
        sequence: Sequence of the context that holds the question and the answer.
        payer: The request as its prefix was brought: what ends the answer from outside, and what it has cost.
        drafts: Whether tokens are drafted.

    Attributes:
        asked: Tokens of the question.
        pending: Tokens to decode next; at first those of the question.
        done: Tokens of the question and the answer that are in the context.
        position: Position of the first pending token.
        finish: Why the answer ended; None until it ends.
        unread: Pieces that its reader has not taken yet, and the error that ended it.
        n_read: Tokens of the pieces that it has taken.
        drafter: Knows which tokens probably come next; None where none are drafted.
    """

    def __init__(
        self,
        request: Request,
        model: LlamaModel,
        sampler: Sampler,
        asked: Sequence[int],
        sequence: int,
        payer: Payer,
        *,
        drafts: bool = False,
    ) -> None:
        self.request, self.sequence, self.sampler = request, sequence, sampler
        self.asked = self.pending = asked
        self.done: list[int] = []
        self.position = payer.session.length
        self.finish: Finish | None = None
        self.unread: deque[Piece | Exception] = deque()
        self.n_generated = self.n_read = 0
        self.drafter = Drafter() if drafts else None
        self._model = model
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = StopSearch(request.sampling.stop)
        self._guard = LoopGuard() if request.sampling.loop_guard else None
        self._payer = payer
        self._n_shared = 0

    def interrupted(self) -> Finish | None:
        """Return "cancelled" or "time" if the caller or the time limit ends the answer now, else None."""
        return self._payer.limits.reached

    def report(self) -> None:
        """Report how many tokens were read, in the thread that reads them."""
        self._payer.report("generate", self.n_read, self.request.sampling.max_tokens)

    @property
    def continues(self) -> bool:
        """Whether the next turn of a conversation is to continue this answer, which has ended."""
        return self.request.continues and self.finish not in (None, "cancelled")

    def decoded(self, n: int) -> None:
        """Note that the first `n` pending tokens are in the context."""
        self.done += self.pending[:n]
        self.position += n
        self.pending = self.pending[n:]

    def inherit(self, n: int) -> None:
        """Note that the first `n` pending tokens are in the context, shared with another question."""
        self._n_shared += n
        self.decoded(n)

    def take(self, drawn: Drawn) -> list[Piece]:
        """Add a drawn token; return the piece it adds and, if it is the last token, the final piece."""
        token = drawn.token
        self.n_generated += 1
        if self._model.ends(token):
            return [*self._stops.rest(), self.end("stop")]
        text = self._decoder.decode(self._model.piece(token))
        pieces = self._stops.add(Piece(text, n_tokens=1, probability=drawn.probability))
        self.pending = (token,)
        if self.drafter is not None:
            self.drafter.add(token, text)
        if self._stops.found:
            return [*pieces, self.end("stop")]
        pieces = pieces or [UNDECIDED]
        if self._guard is not None and self._guard.add(token, text):
            pieces += [*self._stops.rest(), self.end("loop")]
        elif self.n_generated >= self.request.sampling.max_tokens:
            pieces += [*self._stops.rest(), self.end("length")]
        return pieces

    def end(self, finish: Finish) -> Piece:
        """End the answer; return the last piece, which holds what was held back and the rest of a character."""
        self.finish = finish
        held = self._stops.rest()
        text = "" if self._stops.found else self._decoder.decode(b"", final=True)
        prompt = self._payer.prompt(len(self.asked), self._n_shared)
        n_held = sum(piece.n_tokens for piece in held)
        return Piece("".join(piece.text for piece in held) + text, n_held, finish, prompt=prompt)


MIN_SHARED = 4
"""Fewest tokens that are worth sharing with another question."""

Group = list[tuple[Generation, int]]
"""One batch: the first n pending tokens of each answer."""


def followers(newcomers: Sequence[Generation]) -> list[Generation]:
    """Return the questions that can share tokens with an earlier one of them, once that one is decoded."""
    leaders: list[Generation] = []
    found: list[Generation] = []
    for newcomer in newcomers:
        n_done = len(newcomer.asked) - len(newcomer.pending)
        n_shared = max((n_common(newcomer.asked, leader.asked) for leader in leaders), default=0)
        (found if n_shared - n_done >= MIN_SHARED else leaders).append(newcomer)
    return found


def pack(answers: Sequence[Generation], most: int) -> list[Group]:
    """Divide all pending tokens into batches of at most `most` and at most `SHORT` tokens.

    Up to `SHORT` tokens, llama.cpp computes the same numbers for a token whatever else is in the batch, so a batch may
    mix questions and hold parts of them.
    """
    most = min(most, SHORT)
    groups: list[Group] = []
    room = 0
    for generation in answers:
        left = len(generation.pending)
        while left:
            if not room:
                groups.append([])
                room = most
            n = min(left, room)
            groups[-1].append((generation, n))
            left, room = left - n, room - n
    return groups
