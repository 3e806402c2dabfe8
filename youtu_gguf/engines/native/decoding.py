"""One step of answers: what their questions share, one decode for all of them, and a token for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.native.generation import Generation, Group, followers, pack
from youtu_gguf.engines.native.llama.batch import LAST, NONE, Run
from youtu_gguf.engines.native.llama.handles import LlamaContext
from youtu_gguf.engines.native.prefixes import Prefixes
from youtu_gguf.errors import YoutuError

MakeRoom = Callable[[int], bool]
"""Frees cells of the context until as many positions fit; returns whether it freed any."""

Written = list[tuple[Generation, Piece | Exception]]
"""The pieces of a step, and the errors that ended answers, with the answers that they belong to."""


class Decoder:
    """Advances answers in one context. Not thread-safe: the engine holds its lock while using it.

    Args:
        context: Where the answers are.
        prefixes: What they branch from.
    """

    def __init__(self, context: LlamaContext, prefixes: Prefixes) -> None:
        self._context, self._prefixes = context, prefixes

    def step(self, answers: Sequence[Generation], make_room: MakeRoom) -> Written:
        """Advance answers by one decode, and return the new pieces.

        Those under way get a token, and as much of questions is decoded as fits beside them. So a long question takes
        several steps, and holds up the others for one of these at a time. An error ends the answer that it concerns.
        If several are decoded together, each is then tried alone.
        """
        written: Written = []
        active = []
        for generation in answers:
            finish = generation.interrupted()
            if finish is None:
                active.append(generation)
            else:
                written.append((generation, generation.end(finish)))
        asked = [generation for generation in active if len(generation.pending) > 1]
        for generation in asked:
            generation.decoded(self._prefixes.share(generation.sequence))
        waiting = followers(asked)
        under_way = [generation for generation in active if generation not in asked]
        for group in pack([*under_way, *(g for g in asked if g not in waiting)], self._context.slice)[:1]:
            self._decode(group, written, make_room)
        return written

    def _decode(self, group: Group, written: Written, make_room: MakeRoom) -> None:
        """Decode the first n pending tokens of every (answer, n); draw a token where no pending ones are left."""
        group = [(generation, n) for generation, n in group if generation.finish is None]
        if not group:
            return
        runs = [Run(a.pending[:n], a.position, a.sequence, LAST if n == len(a.pending) else NONE) for a, n in group]
        error: YoutuError | None = None
        try:
            decoded = self._context.decode_runs(runs) or (
                make_room(self._context.n_ctx) and self._context.decode_runs(runs)
            )
        except YoutuError as exc:
            decoded, error = False, exc
        if not decoded:
            if len(group) > 1:  # the others may fit, or work
                for item in group:
                    self._decode([item], written, make_room)
            else:
                last = group[0][0].end("length")
                written.append((group[0][0], last if error is None else error))
            return
        index = -1
        for generation, n in group:
            index += n
            generation.decoded(n)
            self._prefixes.grow(generation.sequence, n)
            if not generation.pending:
                written += [(generation, news) for news in self._draw(generation, index)]

    def _draw(self, generation: Generation, index: int) -> Sequence[Piece | Exception]:
        """Draw the token after the one at `index` of the batch; return the pieces, or what ended the answer."""
        try:
            return generation.take(generation.sampler.next(self._context, index))
        except Exception as exc:  # noqa: BLE001 - raised in the thread that reads this answer; the others go on
            generation.end("cancelled")
            return [exc]
