"""One step of answers: what their questions share, one decode for all of them, and a token for each.

Where answers draft (`drafting.py`), the decode holds the drafted tokens too, and an answer takes one token more for
each of them that is right. It draws what it would draw without drafts, since a token is only drawn where all those
before it are the answer's own. Wrong ones leave its sequence at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from youtu_gguf.engines.base import Piece
from youtu_gguf.engines.native.drafting import WIDEST
from youtu_gguf.engines.native.generation import Generation, Group, followers, pack
from youtu_gguf.engines.native.llama.batch import ALL, NONE, Run
from youtu_gguf.engines.native.llama.handles import PADDING, LlamaContext
from youtu_gguf.engines.native.prefixes import Prefixes
from youtu_gguf.errors import YoutuError
from youtu_gguf.types import Draft

TRIED, WORTH, ROUNDS = 4, 1.5, 5
"""Drafts pay where a decode of `TRIED` tokens takes less than `WORTH` times that of one, each the best of `ROUNDS`."""

MakeRoom = Callable[[int], bool]
"""Frees cells of the context until as many positions fit; returns whether it freed any."""

Written = list[tuple[Generation, Piece | Exception]]
"""The pieces of a step, and the errors that ended answers, with the answers that they belong to."""


class Decoder:
    """Advances answers in one context. Not thread-safe: the engine holds its lock while using it.

    Args:
        context: Where the answers are.
        prefixes: What they branch from.

    Attributes:
        n_generated: Tokens of all pieces so far.
    """

    def __init__(self, context: LlamaContext, prefixes: Prefixes) -> None:
        self._context, self._prefixes = context, prefixes
        self.n_generated = 0

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
            generation.inherit(self._prefixes.share(generation.sequence))
        waiting = followers(asked)
        under_way = [generation for generation in active if generation not in asked]
        for group in pack([*under_way, *(g for g in asked if g not in waiting)], self._context.slice)[:1]:
            self._decode(group, written, make_room)
        self.n_generated += sum(news.n_tokens for _, news in written if isinstance(news, Piece))
        return written

    def _decode(self, group: Group, written: Written, make_room: MakeRoom) -> None:
        """Decode the first n pending tokens of every (answer, n); draw a token where no pending ones are left."""
        group = [(generation, n) for generation, n in group if generation.finish is None]
        if not group:
            return
        drafts = self._drafts(group)
        runs = [_run(generation, n, draft) for (generation, n), draft in zip(group, drafts, strict=True)]
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
        for (generation, n), draft in zip(group, drafts, strict=True):
            index += n
            self._decoded(generation, n)
            if not generation.pending:
                n_wrong = len(draft) - self._draw(generation, draft, index, written)
                self._prefixes.reject(generation.sequence, n_wrong, at_end=len(group) == 1)
            index += len(draft)

    def _drafts(self, group: Group) -> list[tuple[int, ...]]:
        """Return what to decode after the pending tokens of each answer, so that all make up at most `WIDEST`."""
        n_pending = sum(n for _, n in group)
        free = self._context.n_ctx - self._prefixes.n_positions - n_pending
        most = max(0, min(WIDEST, self._context.slice) - n_pending) // len(group)
        if not most or free < WIDEST:
            return [()] * len(group)
        return [() if a.drafter is None or n < len(a.pending) else a.drafter.draft(most) for a, n in group]

    def _draw(self, generation: Generation, draft: Sequence[int], index: int, written: Written) -> int:
        """Draw a token at `index` of the batch and after each drafted one that is right; return how many are."""
        for n_right, drafted in enumerate((*draft, None)):
            try:
                drawn = generation.sampler.next(self._context, index + n_right)
                written += [(generation, piece) for piece in generation.take(drawn)]
            except Exception as exc:  # noqa: BLE001 - raised in the thread that reads this answer; the others go on
                generation.end("cancelled")
                written.append((generation, exc))
            if generation.finish is not None or drawn.token != drafted:
                break
            self._decoded(generation, 1)
        return n_right

    def _decoded(self, generation: Generation, n: int) -> None:
        generation.decoded(n)
        self._prefixes.grow(generation.sequence, n)


def _run(generation: Generation, n: int, draft: Sequence[int]) -> Run:
    """Return the first `n` pending tokens of an answer, and its draft; logits are left from the last pending one on."""
    outputs = slice(n - 1, None) if n == len(generation.pending) else NONE
    return Run((*generation.pending[:n], *draft), generation.position, generation.sequence, outputs)


def choose_drafts(wanted: Draft, context: LlamaContext, *, on_device: bool) -> bool:
    """Return whether answers draft: as `wanted`, and for "auto" if decodes on a device are cheap enough.

    On processors "auto" means no: measuring takes seconds at full size. There a decode of four tokens costs 1.35 to 2.6
    times that of one (docs/benchmarks.md).
    """
    if wanted != "auto":
        return wanted == "on"
    return on_device and _cost(context, TRIED) < WORTH * _cost(context, 1)


def _cost(context: LlamaContext, n: int) -> float:
    """Return the least seconds of a decode of `n` tokens in an empty context."""
    best = math.inf
    for _ in range(ROUNDS):
        started = time.perf_counter()
        context.decode_runs([Run((0,) * n, 0, PADDING, ALL)])
        context.logits(n - 1)
        best = min(best, time.perf_counter() - started)
        context.drop(PADDING)
    return best
