#!/usr/bin/env python3
"""How many decodes answers take with drafts, and what that saves where a decode of several tokens costs what is given.

Answers are replayed, which needs no model: those of scripts/soak/repetition.py, which cover the form of every task and
what images of text hold, and nano's own about drawn scenes.

    python scripts/bench/drafting.py                               # with the costs measured on two cores
    python scripts/bench/drafting.py --costs 1 1.05 1.1 1.2        # of decodes of 1, 2, 4 and 8 tokens
    python scripts/bench/drafting.py --full                        # measures the costs with the full-size pair first
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from _full import add_pair_option, full_pair, machine

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.soak._correct import CORRECT
from scripts.soak.repetition import pieces
from youtu_gguf.engines.native.drafting import LENGTHS, WIDEST, Drafter
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.batch import Run

WIDTHS = (1, 2, 4, 8)
"""Tokens of the decodes whose costs are given; between them costs are interpolated."""

MOST_TOKENS = 3000
SPELLED = re.compile(r"<v_[0-9.]+>")
WITHOUT_WORDS, WITH_WORDS = ("detect", "pose", "describe", "ocr"), ("ground", "polygon", "count")
"""Tasks, the second with the kind of an object to look for."""

Token = tuple[int, str]


class Replay(NamedTuple):
    """What an answer took: tokens, decodes, drafted tokens that were right and wrong, and the costs of its decodes."""

    n_tokens: int
    n_decodes: int
    n_right: int
    n_wrong: int
    cost: float


def replay(answer: Sequence[Token], costs: Sequence[float]) -> Replay:
    """Generate a known answer: its first token comes from the question, each decode checks one token and a draft."""
    drafter = Drafter()
    drafter.add(*answer[0])
    done, n_decodes, n_right, n_wrong, cost = 1, 0, 0, 0, 0.0
    while done < len(answer):
        draft = drafter.draft(WIDEST - 1)
        n_decodes += 1
        cost += costs[len(draft)]
        n_checked = 0
        for expected in (*draft, None):
            token = answer[done]
            drafter.add(*token)
            done += 1
            if token[0] != expected or done == len(answer):
                break
            n_checked += 1
        n_right, n_wrong = n_right + n_checked, n_wrong + len(draft) - n_checked
    return Replay(len(answer) - 1, n_decodes, n_right, n_wrong, cost)


def made_up(name: str, n_answers: int, *, spelled: bool = False) -> Iterator[list[Token]]:
    """Yield correct answers of a kind; with `spelled`, visibilities take seven tokens each."""
    ids = dict[str, int]()
    for number in range(n_answers):
        random = Random(f"{name} {number}")
        found: list[str] = []
        for piece in islice(pieces(CORRECT[name](random), random.choice((1, 3))), MOST_TOKENS):
            found += re.findall(r"\d|v|.", piece) if spelled and SPELLED.fullmatch(piece) else [piece]
        yield [(ids.setdefault(piece, len(ids)), piece) for piece in found]


def of_nano(n_scenes: int) -> Iterator[tuple[str, list[Token]]]:
    """Yield nano's answers about scenes that it was not trained on, with their tasks."""
    with yg.load("nano", threads=1, max_tokens=600) as model:
        engine = model.engine
        assert isinstance(engine, NativeEngine)
        for number in range(n_scenes):
            truth = draw(TEST_SEEDS + number)
            with closing(model.open(truth.rgb)) as scene:
                asked: dict[str, tuple[str, ...]] = dict.fromkeys(WITHOUT_WORDS, ())
                asked |= dict.fromkeys(WITH_WORDS, (truth.things[0].kind,))
                for task, words in asked.items():
                    text = getattr(scene, task)(*words).raw
                    tokens = engine.model.tokenize(text, special=True)
                    if tokens:
                        yield task, [(t, engine.model.piece(t).decode(errors="replace")) for t in tokens]


def show(name: str, answers: Sequence[Sequence[Token]], costs: Sequence[float]) -> None:
    total = Replay(*np.sum([replay(answer, costs) for answer in answers], axis=0).tolist())
    n = len(answers)
    print(
        f"{name:38}{n:4} {total.n_tokens / n:7.0f} {total.n_decodes / n:8.0f} {total.n_tokens / total.n_decodes:9.2f} "
        f"{total.n_right / total.n_tokens:6.0%} {total.n_wrong / total.n_tokens:6.0%} "
        f"{total.n_tokens / total.cost:7.2f}",
        flush=True,
    )


def measured(folder: Path, rounds: int = 7) -> list[float]:
    """Return the costs of decodes of 1 to `WIDEST` tokens at full size, and print what they took at best."""
    took: list[list[float]] = [[] for _ in range(WIDEST)]
    with yg.load(*full_pair(folder)) as model:
        assert isinstance(model.engine, NativeEngine)
        context = model.engine.context
        for _ in range(rounds):
            for width in range(1, WIDEST + 1):
                started = time.perf_counter()
                context.decode_runs([Run((7,) * width, 0, 1, slice(None))])
                context.logits(width - 1)
                took[width - 1].append(time.perf_counter() - started)
                context.drop(1)
    best = list(map(min, took))
    for width, seconds in enumerate(best, 1):
        print(f"a decode of {width} tokens {1e3 * seconds:8.1f} ms {seconds / best[0]:6.2f}", flush=True)
    return [seconds / best[0] for seconds in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument(
        "--costs", type=float, nargs=len(WIDTHS), default=(1.0, 1.5, 1.94, 3.2), help="of 1, 2, 4 and 8 tokens"
    )
    parser.add_argument("--full", action="store_true", help="measure the costs with the full-size pair")
    parser.add_argument("--answers", type=count, default=20, help="made-up answers of each kind")
    parser.add_argument("--scenes", type=count, default=30, help="drawn scenes that nano is asked about")
    args = parser.parse_args()
    print(f"{machine()}; contexts of {LENGTHS} tokens")
    costs: Sequence[float] = np.interp(np.arange(1, WIDEST + 1), WIDTHS, args.costs).tolist()
    if args.full:
        costs = measured(args.folder)
    print(f"decodes of 1 to {WIDEST} tokens cost {', '.join(f'{cost:.2f}' for cost in costs)}")
    print(f"{'answers':38}{'':4} {'tokens':>7} {'decodes':>8} {'a decode':>9} {'right':>6} {'wrong':>6} {'faster':>7}")
    by_task: dict[str, list[list[Token]]] = {}
    for task, answer in of_nano(args.scenes):
        by_task.setdefault(task, []).append(answer)
    for task, answers in by_task.items():
        if max(map(len, answers)) > 1:
            show(f"nano: {task}", [answer for answer in answers if len(answer) > 1], costs)
    for name in CORRECT:
        show(name, list(made_up(name, args.answers)), costs)
    show("poses, visibilities spelled", list(made_up("poses", args.answers, spelled=True)), costs)


if __name__ == "__main__":
    main()
