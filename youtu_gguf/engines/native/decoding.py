"""One step of answers: what their questions share, one decode for all of them, and a token for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.native.generation import Generation, Group, followers, pack
from youtu_gguf.engines.native.llama.batch import LAST, NONE, Run
from youtu_gguf.engines.native.llama.handles import LlamaContext
from youtu_gguf.engines.native.prefixes import Prefixes

MakeRoom = Callable[[int], bool]
"""Frees cells of the context until as many positions fit; returns whether it freed any."""


class Decoder:
    """Advances answers in one context. Not thread-safe: the engine holds its lock while using it.

    Args:
        context: Where the answers are.
        prefixes: What they branch from.
    """

    def __init__(self, context: LlamaContext, prefixes: Prefixes) -> None:
        self._context, self._prefixes = context, prefixes

    def step(self, answers: Sequence[Generation], make_room: MakeRoom) -> list[tuple[Generation, Piece]]:
        """Advance each answer by one token, in one decode if they fit; return the new pieces."""
        written: list[tuple[Generation, Piece]] = []
        active = []
        for generation in answers:
            finish = generation.interrupted()
            if finish is None:
                active.append(generation)
            else:
                written.append((generation, generation.end(finish)))
        newcomers = [generation for generation in active if len(generation.pending) == len(generation.asked) > 1]
        self._share(newcomers)
        waiting = followers(newcomers)
        self._decode_all([generation for generation in active if generation not in waiting], written, make_room)
        self._share(waiting)
        self._decode_all(waiting, written, make_room)
        return written

    def _share(self, newcomers: Sequence[Generation]) -> None:
        for generation in newcomers:
            generation.decoded(self._prefixes.share(generation.sequence))

    def _decode_all(
        self, answers: Sequence[Generation], written: list[tuple[Generation, Piece]], make_room: MakeRoom
    ) -> None:
        for group in pack(answers, self._context.slice):
            self._decode(group, written, make_room)

    def _decode(self, group: Group, written: list[tuple[Generation, Piece]], make_room: MakeRoom) -> None:
        """Decode the first n pending tokens of every (answer, n); draw a token where no pending ones are left."""
        group = [(generation, n) for generation, n in group if generation.finish is None]
        if not group:
            return
        runs = [Run(a.pending[:n], a.position, a.sequence, LAST if n == len(a.pending) else NONE) for a, n in group]
        if not self._context.decode_runs(runs) and not (
            make_room(self._context.n_ctx) and self._context.decode_runs(runs)
        ):
            if len(group) > 1:  # the others may fit
                for item in group:
                    self._decode([item], written, make_room)
            else:
                written.append((group[0][0], group[0][0].end("length")))
            return
        index = -1
        for generation, n in group:
            index += n
            generation.decoded(n)
            self._prefixes.grow(generation.sequence, n)
            if not generation.pending:
                drawn = generation.sampler.next(self._context, index)
                written += [(generation, piece) for piece in generation.take(drawn)]
