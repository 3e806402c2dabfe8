#!/usr/bin/env python3
"""Conversations of many threads on one model, in a context that is too small for all of them.

    python scripts/soak/conversations.py --minutes 5

Turns are asked, streamed, cancelled and left behind, images are attached, and questions that stand alone come in
between. Afterwards the last answer of every conversation must be the one to the whole conversation read at once, or its
beginning where other answers left no more room; the context must be empty, and none may hang. Answers may differ where
two tokens are almost equally likely; such an answer counts as a "tie" as in threads.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.config import PENALTY_LAST_N, Sampling
from youtu_gguf.engines.base import collect
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.types import U8, Turn

QUESTIONS = ("Describe the picture.", "What is the largest object?", "Where is it?", "Is there a star?")
MOST_TURNS, TIE, LONGEST_WAIT_S = 5, 0.01, 120.0
N_CTX, SETTINGS = 768, {"temperature": 0.0, "max_tokens": 12, "threads": 1}

Turns = tuple[Turn, ...]


def talk(model: yg.Model, images: Sequence[U8], choose: random.Random) -> Turns:
    """Hold a conversation; return its turns."""
    with model.chat(*choose.choices(images, k=choose.choice((0, 1, 1, 2)))) as chat:
        for _ in range(choose.randint(1, MOST_TURNS)):
            step(model, chat, images, choose)
        return chat.turns


def step(model: yg.Model, chat: yg.Chat, images: Sequence[U8], choose: random.Random) -> None:
    question = choose.choice(QUESTIONS)
    match choose.randrange(10):
        case 0:
            with chat.ask(question, stream=True) as pieces:
                next(pieces, None)
        case 1:
            cancel = threading.Event()
            timer = threading.Timer(choose.random() / 10, cancel.set)
            timer.start()
            chat.ask(question, cancel=cancel)
            timer.join()
        case 2:
            chat.attach(choose.choice(images))
        case 3:
            with model.open(choose.choice(images)) as scene:
                scene.ask(question) if choose.random() < 1 / 2 else scene.patches()
        case _:
            chat.ask(question)


def outcome(engine: NativeEngine, sampling: Sampling, turns: Turns) -> str:
    """Compare the last answer with that to the whole conversation, read at once."""
    *parts, question = turns[-1].parts
    assert isinstance(question, str)
    engine.clear()
    session = engine.open(Prefix(*parts, turns=turns[:-1]))
    expected, found = collect(session.generate(question, sampling)).text, turns[-1].answer
    if expected.startswith(found):
        return "right" if found == expected else "the context is full"
    ending = session.tokenize("<|end_of_text|>")
    a, b = ([*session.tokenize(text), *ending] for text in (expected, found))
    at = next(i for i, (one, other) in enumerate(zip(a, b, strict=False)) if one != other)
    logits = session.last_logits(question, a[:at])
    whole = float(logits.max() - logits.min())
    seen = [*session.prefix_tokens, *session.tokens_of(question), *a[:at]][-PENALTY_LAST_N:]
    for token in set(seen):
        logits[token] *= 1 / sampling.repeat_penalty if logits[token] > 0 else sampling.repeat_penalty
    apart = abs(float(logits[a[at]] - logits[b[at]])) / whole
    return "tie" if apart <= TIE else f"wrong, {apart:.3f} of the range apart: {found!r} instead of {expected!r}"


def run(model_name: str, n_threads: int, seconds: float, seed: int = 0) -> Counter[str]:
    """Return how many conversations ended in which way."""
    images = [draw(TEST_SEEDS + 900 + i, (256, 256)).rgb for i in range(4)]
    tally: Counter[str] = Counter()
    held: list[Turns] = []
    with yg.load(model_name, n_ctx=N_CTX, **SETTINGS) as model:  # type: ignore[arg-type]
        assert isinstance(model.engine, NativeEngine)
        stop = time.monotonic() + seconds

        def talk_until_stop(number: int) -> None:
            choose = random.Random(seed * 1000 + number)
            while time.monotonic() < stop:
                try:
                    held.append(talk(model, images, choose))
                except yg.InputError as exc:
                    tally["the context is full" if "positions" in str(exc) else f"wrong, {exc}"] += 1
                except yg.YoutuError as exc:
                    tally[f"wrong, {exc}"] += 1

        threads = [threading.Thread(target=talk_until_stop, args=(i,), daemon=True) for i in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, stop - time.monotonic()) + LONGEST_WAIT_S)
            tally["hanging"] += thread.is_alive()
        for turns in filter(None, held):
            tally[outcome(model.engine, model.settings.sampling, turns)] += 1
        model.engine.clear()
        model.engine.prefixes.collect()
        tally["wrong, the context is not empty"] += model.engine.prefixes.n_positions > 0
    return +tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=count, default=8)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tally = run(args.model, args.threads, args.minutes * 60, args.seed)
    for ended, n in tally.most_common():
        print(f"{n:7} {ended}")
    sys.exit(not set(tally) <= {"right", "tie", "the context is full"})


if __name__ == "__main__":
    main()
