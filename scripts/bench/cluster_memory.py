#!/usr/bin/env python3
"""Memory of the actors of one node: weights that they share, and what each has for itself.

    python scripts/bench/cluster_memory.py [--model nano] [--actors 2] [--images 2] [--side 640x480]

Without --model it uses the full-size synthetic pair (random weights: the memory is right, the answers mean nothing).
Each actor does its images with a depth map and a question, in a child process as in a run, and stays while all are
looked at. Private memory is compared with the estimate of `plan`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts._arguments import count

sys.path.insert(0, str(Path(__file__).parent))
from _full import add_pair_option, full_pair, machine, photograph
from _smaps import Share, memory_of
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.batch import Asked, Worker
from youtu_gguf.batch.image import Questions, Work
from youtu_gguf.cluster.connect import connected
from youtu_gguf.cluster.weights import Loading
from youtu_gguf.environment import share_of_machine

BAR = 0.55
"""Most that two actors' shares of the weights may be of what they have mapped together."""

ASKED = (
    Asked("depth", yg.Question("depth")),
    Asked("describe", yg.Question("describe")),
)


class Holder:
    """An actor that does images and keeps its model."""

    def __init__(self, loading: Loading, folder: str) -> None:
        self._worker = Worker(loading.load, environment=share_of_machine(loading.settings["threads"], []))
        self._worker.prepare(Work(Questions(ASKED, ()), Path(folder)))

    def do(self, paths: list[str]) -> tuple[float, int, int]:
        """Do images; return the seconds that they took, and the numbers of this process and its child."""
        started = time.monotonic()
        for path in paths:
            self._worker.start(Path(path))
            done: Any = self._worker.wait()
            assert "error" not in done.line, done.line
            assert not any("error" in result for result in done.line["results"]), done.line
        seconds = time.monotonic() - started
        me = psutil.Process()
        (child,) = me.children()
        return seconds, me.pid, child.pid

    def close(self) -> None:
        self._worker.close()


def measured(loading: Loading, n_actors: int, images: list[list[str]], folder: str) -> list[dict[str, Any]]:
    """Return for each actor its seconds, and the memory of its two processes while all are there."""
    import ray

    with connected("local"):
        actors = [ray.remote(num_cpus=0)(Holder).remote(loading, folder) for _ in range(n_actors)]
        done = ray.get([actor.do.remote(paths) for actor, paths in zip(actors, images, strict=True)])
        found = []
        for seconds, parent, child in done:
            weights, rest = memory_of(child)
            found.append({"seconds": seconds, "weights": weights, "child": rest, "parent": _all(memory_of(parent))})
        ray.get([actor.close.remote() for actor in actors])
    return found


def _all(parts: tuple[Share, Share]) -> Share:
    return parts[0] + parts[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help='a model; "nano" is quick [default: the full-size synthetic pair]')
    parser.add_argument("--actors", type=count, default=2)
    parser.add_argument("--threads", type=count, default=1)
    parser.add_argument("--images", type=count, default=2, help="for each actor")
    parser.add_argument("--side", default="640x480", help="of the images")
    parser.add_argument("--max-tokens", type=count, default=16)
    parser.add_argument("--json", action="store_true")
    add_pair_option(parser)
    args = parser.parse_args()
    named = (args.model,) if args.model else full_pair(args.folder)
    width, height = map(int, args.side.split("x"))
    plan = yg.weights.plan(*named)
    loading = Loading.of(*named, max_tokens=args.max_tokens).sized(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for actor in range(args.actors):
            paths = [Path(folder, f"{actor}-{n}.png") for n in range(args.images)]
            for n, path in enumerate(paths):
                rgb = photograph(width, height).copy()
                rgb[0, 0] = actor, n, 0  # no two are alike
                Image.fromarray(rgb).save(path)
            images.append([*map(str, paths)])
        found = measured(loading, args.actors, images, folder)
    rss, pss = (sum(getattr(actor["weights"], name) for actor in found) for name in ("rss", "pss"))
    expected = plan.wanted.memory.total - plan.wanted.memory.weights - plan.wanted.memory.projector
    if args.json:
        print(json.dumps({"share": pss / rss, "actors": found, "planned_private": expected}, default=vars, indent=2))
    else:
        print(machine())
        for n, one in enumerate(found):
            print(
                f"actor {n}: {args.images} images in {one['seconds']:.1f} s; weights {_gb(one['weights'])}; "
                f"child besides {_gb(one['child'])}; parent {_gb(one['parent'])}"
            )
        print(f"private memory of a child that plan expects: {expected / 1e9:.3f} GB")
        print(f"share of the weights: {pss / 1e9:.3f} of {rss / 1e9:.3f} GB = {pss / rss:.3f} (bar for two: {BAR})")
    if args.actors > 1 and pss / rss > BAR:
        raise SystemExit(f"the actors share less of the weights than expected: {pss / rss:.3f}")


def _gb(share: Share) -> str:
    return f"{share.rss / 1e9:.3f} GB (share {share.pss / 1e9:.3f}, private {share.private / 1e9:.3f})"


if __name__ == "__main__":
    main()
