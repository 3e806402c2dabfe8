#!/usr/bin/env python3
"""A llama-server of ours, held against direct HTTP to it and against one shared scene of the native engine.

    python scripts/bench/server.py [--model nano]

Without --model on the full-size synthetic pair (random weights: speed is right, answers mean nothing). Ratios are taken
within one run: an answer through the engine against the same request sent by itself to the same server; eight questions
on one image together, on eight slots that have not seen it (cold) and that have (warm), against `Scene.many`.
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
from _full import add_pair_option, full_pair, machine, photograph

import youtu_gguf as yg
from youtu_gguf.engines._calls import PATH, HttpSession
from youtu_gguf.engines.base import Request
from youtu_gguf.engines.server import ServerEngine
from youtu_gguf.types import U8

N_SLOTS = 8
N_GENERATED = 24
QUESTIONS = [
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
]  # fmt: skip
GOALS = {"supervision": "<= 1.02", "cold": ">= 6", "warm": ">= 1"}


def timed(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def direct(engine: ServerEngine, session: HttpSession, question: str, sampling: Any) -> None:
    """Send what the engine sends, and read what comes, with nothing of ours between."""
    address = engine.supervisor.wait_ready()
    body = session.body(Request(question, sampling), engine.model)
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
        for way in ways:  # the slot has seen the image, and both ways have been gone once
            way()
        seconds = [[timed(way) for way in ways] for _ in range(rounds)]
    first, second = (statistics.median(column) for column in zip(*seconds, strict=True))
    return first, second


def together(model: yg.Model, rgb: U8) -> float:
    """Return the seconds of all questions on one image together."""
    with closing(model.open(rgb)) as scene:
        return timed(lambda: scene.many([("ask", question) for question in QUESTIONS]))


def report(name: str, ratio: float, text: str) -> None:
    print(f"{name:12} {ratio:6.3f}   (goal {GOALS[name]})   {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="another model, such as nano")
    parser.add_argument("--rounds", type=int, default=7, help="answers each way for the cost of supervision")
    args = parser.parse_args()
    model, mmproj = (args.model, None) if args.model else full_pair(args.folder)
    settings: dict[str, Any] = {"n_ctx": 4096, "max_tokens": N_GENERATED, "temperature": 0.0, "n_slots": N_SLOTS}
    rgb = photograph(640, 480)
    print(machine())
    with yg.load(model, mmproj, "server", **settings) as server:
        cold, warm = together(server, rgb), together(server, rgb)
        by_http, by_engine = supervision(server, rgb, args.rounds)
    with yg.load(model, mmproj, **settings) as native:
        native_cold, native_warm = together(native, rgb), together(native, rgb)
    report("supervision", by_engine / by_http, f"{by_http:.3f} s by HTTP alone, {by_engine:.3f} s through the engine")
    report("cold", cold / native_cold, f"server {cold:.1f} s, scene.many {native_cold:.1f} s")
    report("warm", warm / native_warm, f"server {warm:.1f} s, scene.many {native_warm:.1f} s")


if __name__ == "__main__":
    main()
