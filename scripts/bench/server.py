#!/usr/bin/env python3
"""The engine "server", compared with direct HTTP to its llama-server and with one scene of the native engine.

    python scripts/bench/server.py [--model nano] [--size 640 480] [--flags "--no-kv-unified --repack"]

Without --model it uses the full-size synthetic pair (random weights: the speed is right, the answers mean nothing).
Ratios are taken within one run: an answer through the engine against the same request sent directly to the same server;
eight questions on one image together against `Scene.many`, on eight slots that have not processed the image (cold),
that have processed it (warm: other questions), and that have just answered the same questions (again). The flags above
restore llama-server's own defaults. With --slots 1 the questions are asked one after the other, and the image is
encoded once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from _full import add_pair_option, full_pair, machine, photograph

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf.engines.base import Request
from youtu_gguf.engines.http.session import PATH, HttpSession
from youtu_gguf.engines.llama_server.engine import ServerEngine
from youtu_gguf.types import U8

N_GENERATED = 24
QUESTIONS = [
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
]  # fmt: skip
OTHERS = [
    "Are there people?", "When was it taken?", "How big is it?", "Name the colours.", "Who could use it?",
    "Does it shine?", "Any trees in it?", "What is behind it?",
]  # fmt: skip
ROUNDS = {"cold": QUESTIONS, "warm": OTHERS, "again": OTHERS}
GOALS = {"supervision": "<= 1.02", "cold": ">= 6", "warm": ">= 1", "again": "none"}


def timed(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def direct(engine: ServerEngine, session: HttpSession, question: str, sampling: Any) -> None:
    """Send the request that the engine sends, and read the response, without the engine."""
    address = engine.supervisor.wait_ready()
    body = session.body(Request(question, sampling), engine.served(address), sampling.max_tokens)
    headers = {"Authorization": f"Bearer {address.key}"}
    with requests.post(address.url + PATH, json=body, headers=headers, stream=True, timeout=3600) as response:
        response.raise_for_status()
        for _ in response.iter_lines():
            pass


def supervision(model: yg.Model, rgb: U8, rounds: int) -> tuple[float, float]:
    """Return the median seconds of an answer by direct HTTP and through the engine, in alternating rounds."""
    assert isinstance(model.engine, ServerEngine)
    with closing(model.open(rgb)) as scene:
        session = scene.session()
        assert isinstance(session, HttpSession)
        ways = (
            lambda: direct(model.engine, session, QUESTIONS[0], model.settings.sampling),
            lambda: scene.ask(QUESTIONS[0]),
        )
        for way in ways:  # the slot then holds the image, and both ways have run once
            way()
        seconds = [[timed(way) for way in ways] for _ in range(rounds)]
    first, second = (statistics.median(column) for column in zip(*seconds, strict=True))
    return first, second


def parallel(model: yg.Model, rgb: U8) -> dict[str, float]:
    """Return the seconds of eight questions on one image together, in each of the `ROUNDS`."""
    with closing(model.open(rgb)) as scene:
        return {
            name: timed(lambda asked=asked: scene.many([("ask", question) for question in asked]))  # type: ignore[misc]
            for name, asked in ROUNDS.items()
        }


def report(name: str, ratio: float, text: str) -> None:
    print(f"{name:12} {ratio:6.3f}   (goal {GOALS[name]})   {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="another model, such as nano")
    parser.add_argument("--rounds", type=count, default=7, help="answers per way for measuring supervision")
    parser.add_argument("--size", type=count, nargs=2, default=(640, 480), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--slots", type=count, default=len(QUESTIONS))
    parser.add_argument("--flags", default="", help="additional flags of llama-server")
    args = parser.parse_args()
    model, mmproj = (args.model, None) if args.model else full_pair(args.folder)
    settings: dict[str, Any] = {"max_tokens": N_GENERATED, "temperature": 0.0}
    rgb = photograph(*args.size)
    print(machine())
    of_server = {"n_slots": args.slots, "server_flags": args.flags.split()}
    with yg.load(model, mmproj, "server", **of_server, **settings) as server:
        by_server = parallel(server, rgb)
        by_http, by_engine = supervision(server, rgb, args.rounds)
    report("supervision", by_engine / by_http, f"{by_http:.3f} s by HTTP alone, {by_engine:.3f} s through the engine")
    with yg.load(model, mmproj, **settings) as native:
        by_native = parallel(native, rgb)
    for name in ROUNDS:
        seconds, ours = by_server[name], by_native[name]
        report(name, seconds / ours, f"server {seconds:.1f} s, scene.many {ours:.1f} s")


if __name__ == "__main__":
    main()
