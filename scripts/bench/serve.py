#!/usr/bin/env python3
"""What `youtu-gguf serve` adds to the engine, and how soon it lets go.

    python scripts/bench/serve.py [--model nano] [--only latency sharing cancel dialects dense stop]

The server is a process of its own, started by the command; the clients are threads of this one, each with a connection
of its own that is kept alive, by the standard library alone. This process also has the model, for the same questions
without HTTP. The two take turns, so neither computes while the other is measured; what the clients' own Python costs
counts for HTTP. Ratios and differences are taken within one run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import _serve_cancel
import _serve_dense
import _serve_dialects
import _serve_latency
import _serve_sharing
import _serve_stop
from _full import machine
from _serve_rows import Row

import youtu_gguf as yg
from scripts._arguments import count
from scripts._serving import Server, serving

NAMES = ("latency", "sharing", "cancel", "dialects", "dense", "stop")


def run(server: Server, model: yg.Model, steps: _serve_cancel.Steps, args: argparse.Namespace) -> list[Row]:
    """Print the rows of every measure that was asked for, and return them."""
    measures: dict[str, Callable[[], list[Row]]] = {
        "latency": lambda: _serve_latency.measure(server, model, args.rounds),
        "sharing": lambda: _serve_sharing.measure(server, model, args.rounds),
        "cancel": lambda: _serve_cancel.measure(server, model, steps, args.rounds),
        "dialects": lambda: _serve_dialects.measure(server),
        "dense": lambda: _serve_dense.measure(server, model, args.rounds),
        "stop": lambda: _serve_stop.measure(args.model),
    }
    found = []
    for name in args.only:
        for row in measures[name]():
            print(row, flush=True)
            found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--rounds", type=count, default=10)
    args = parser.parse_args()
    steps = _serve_cancel.Steps()
    print(f"{machine()}; {args.model}")
    with serving(args.model) as server, yg.load(args.model, progress=steps, temperature=0.0) as model:
        rows = run(server, model, steps, args)
    sys.exit(not all(row.met for row in rows))


if __name__ == "__main__":
    main()
