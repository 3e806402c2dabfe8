#!/usr/bin/env python3
"""What further questions about an image cost once it has been encoded and prefilled.

    python scripts/bench/ask_many.py [--model nano] [--json]

Without --model it uses the full-size synthetic pair (random weights: the speed is right, the answers mean nothing).
Ratios are taken within one run: the first token of later questions against that of the first question; five tasks
against encoding and prefilling the image once; eight answers together against one after the other; opening a known
image from disk; generation with scores against generation without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _full import add_pair_option, full_pair, machine, photograph

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf import prompts
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.bindings import VERSION
from youtu_gguf.engines.native.session import NativeSession
from youtu_gguf.types import U8

SIZES = {"300 tokens": (640, 480), "1200 tokens": (1280, 960)}
GOALS = {
    "second/first, 300 tokens": 0.05, "second/first, 1200 tokens": 0.02, "five tasks": 1.10, "many": 2.0,
    "many, alike": 2.0, "reopen": 0.10, "scores": 1.05,
}  # fmt: skip


def timed(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def clear(model: yg.Model) -> None:
    assert isinstance(model.engine, NativeEngine)
    model.engine.clear()


UNLIKE = [
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
]  # fmt: skip
ALIKE = [prompts.ENGLISH.ground.format(f"the cup that is number {i} from the left") for i in range(len(UNLIKE))]


def first_token(scene: yg.Scene, question: str) -> float:
    return timed(lambda: scene.ask(question, max_tokens=1))


def second_over_first(model: yg.Model, rgb: U8) -> dict[str, float]:
    """Return the seconds to the first token: of the first question, and of later ones with another or the same
    beginning."""
    clear(model)
    with closing(model.open(rgb)) as scene:
        first = first_token(scene, UNLIKE[0])
        unlike = statistics.median(first_token(scene, question) for question in UNLIKE[1:])
        first_token(scene, ALIKE[0])
        alike = statistics.median(first_token(scene, question) for question in ALIKE[1:])
        session = scene.session()
        assert isinstance(session, NativeSession)
        n_unlike, n_alike = (
            statistics.median(len(session.tokens_of(question)) for question in questions[1:])
            for questions in (UNLIKE, ALIKE)
        )
    return {
        "first": first, "later": unlike, "tokens": n_unlike, "later_alike": alike, "tokens_alike": n_alike,
        "ratio": unlike / first,
    }  # fmt: skip


def five_tasks(model: yg.Model, rgb: U8) -> dict[str, float]:
    """Return the seconds of five tasks on one scene, of encoding and prefilling the image, and of generating."""
    clear(model)
    with closing(model.open(rgb)) as scene:
        scene.patches()
        look = scene.session().cost
    clear(model)
    with closing(model.open(rgb)) as scene:
        started = time.perf_counter()
        results: list[yg.Result] = [
            scene.depth(), scene.segment(["table", "cup", "wall"], present="all"), scene.ground("the cup"),
            scene.count("cup"), scene.ask("What is in the picture?"),
        ]  # fmt: skip
        seconds = time.perf_counter() - started
    generated = sum(result.timings.generate_s for result in results)
    own = look.encode_s + look.prefill_s
    return {"seconds": seconds, "look": own, "generated": generated, "ratio": seconds / (own + generated)}


def parallel(model: yg.Model, rgb: U8, asked: list[str], rounds: int) -> dict[str, float]:
    """Return tokens/s of answers one after the other and together, alternating, and how many are identical."""
    questions = [("ask", question) for question in asked]
    alone_s, many_s, identical = [], [], 0
    with closing(model.open(rgb)) as scene:
        scene.patches()
        for _ in range(rounds):
            started = time.perf_counter()
            alone = [scene.ask(question) for _, question in questions]
            alone_s.append((time.perf_counter() - started) / sum(answer.timings.n_generated for answer in alone))
            started = time.perf_counter()
            many = scene.many(questions)
            many_s.append((time.perf_counter() - started) / sum(answer.timings.n_generated for answer in many))
            identical += sum(a.raw == b.raw for a, b in zip(alone, many, strict=True))
    ratio = statistics.median(a / b for a, b in zip(alone_s, many_s, strict=True))
    alone_rate, many_rate = 1 / statistics.median(alone_s), 1 / statistics.median(many_s)
    return {
        "alone_tokens_s": alone_rate,
        "many_tokens_s": many_rate,
        "ratio": ratio,
        "identical": identical / len(asked) / rounds,
    }


def reopened(load: Callable[..., yg.Model], rgb: U8) -> dict[str, float]:
    """Return the seconds of encoding and prefilling, and of reading the result from disk in a newly loaded model."""
    with tempfile.TemporaryDirectory() as folder:
        with load(cache_dir=folder) as model, closing(model.open(rgb)) as scene:
            scene.patches()
            look = scene.session().cost
        with load(cache_dir=folder) as model, closing(model.open(rgb)) as scene:
            again = timed(lambda: (scene.patches(), first_token(scene, UNLIKE[0])))
            again -= first_token(scene, UNLIKE[1])  # the cost of the question alone
    own = look.encode_s + look.prefill_s
    return {"look": own, "again": again, "ratio": again / own}


def score_cost(model: yg.Model, rgb: U8, rounds: int) -> float:
    """Return the ratio of generation time with scores to that without; rounds alternate."""
    ratios = []
    with closing(model.open(rgb)) as scene:
        scene.patches()
        for _ in range(rounds):
            plain = scene.ask("What is in the picture?").timings
            scored = scene.ask("What is in the picture?", scores=True).timings
            ratios.append(scored.generate_s / scored.n_generated / (plain.generate_s / plain.n_generated))
    return statistics.median(ratios)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    paths = (args.model, None) if args.model else full_pair(args.folder)

    def load(**settings: Any) -> yg.Model:
        return yg.load(*paths, max_tokens=args.tokens, temperature=0.0, threads=args.threads, **settings)

    found: dict[str, Any] = {"machine": machine(), "llama_cpp_python": VERSION, "model": args.model or "full-size pair"}
    images = {name: photograph(*size) for name, size in SIZES.items()}
    rgb = images["300 tokens"]
    with load() as model:
        second_over_first(model, rgb)  # pages the files in
        for name, image in images.items():
            found[f"second/first, {name}"] = second_over_first(model, image)
        found["five tasks"] = five_tasks(model, rgb)
        found["many"] = parallel(model, rgb, UNLIKE, args.rounds)
        found["many, alike"] = parallel(model, rgb, ALIKE, args.rounds)
        found["scores"] = {"ratio": score_cost(model, rgb, args.rounds)}
    found["reopen"] = reopened(load, rgb)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="a model other than the full-size pair, such as nano")
    parser.add_argument("--rounds", type=count, default=3)
    parser.add_argument("--tokens", type=count, default=32, help="most tokens of an answer")
    parser.add_argument("--threads", type=count, help="default: all cores")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args)
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['model']}; {found['machine']}; llama-cpp-python {found['llama_cpp_python']}")
    for name, goal in GOALS.items():
        ratio = found[name]["ratio"]
        good = ratio >= goal if name.startswith("many") else ratio <= goal
        rest = ", ".join(f"{key} {value:.3g}" for key, value in found[name].items() if key != "ratio")
        print(f"{name:28} {ratio:.3f}  goal {goal:g}  {'' if good else 'short'}  {rest}")


if __name__ == "__main__":
    main()
