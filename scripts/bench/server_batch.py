#!/usr/bin/env python3
"""How busy a batch keeps the slots of a llama-server, and images per minute compared with the native engine.

    python scripts/bench/server_batch.py [--model nano] [--images 24] [--slots 4] [--max-tokens 200]

Every few milliseconds the script asks the server which of its slots are busy. Each engine runs alone, with one thread,
on the same images and questions. `scripts/bench/batch.py` compares a batch with single calls.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts._arguments import count

sys.path.insert(0, str(Path(__file__).parent))
from _full import machine

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.batch import Asked, Batch, Journal
from youtu_gguf.engines.http.transport import Address, get_json
from youtu_gguf.engines.llama_server.engine import ServerEngine

ASKED = (Asked("describe", yg.Question("describe")), Asked("detect", yg.Question("detect", (None,))))
POLL_S = 0.01
TIMEOUT_S = 60.0


class SlotWatch:
    """Counts the busy slots of a server within a `with` block.

    Attributes:
        counts: The number at each poll.
    """

    def __init__(self, engine: ServerEngine) -> None:
        self.counts: list[int] = []
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def _poll(self) -> None:
        address = self._engine.supervisor.wait_ready()
        root = Address(address.url.removesuffix("/v1"), address.key)
        while not self._stop.wait(POLL_S):
            slots: Any = get_json(root, "/slots", TIMEOUT_S)
            self.counts.append(sum(slot["is_processing"] for slot in slots))

    def __enter__(self) -> SlotWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def seconds_of(model: yg.Model, images: list[Path], folder: Path) -> float:
    """Return the seconds of a batch over `images`."""
    with Journal(folder, {}) as journal:
        started = time.perf_counter()
        batch = Batch(model, ASKED, journal)
        for _ in batch.run(images):
            pass
        seconds = time.perf_counter() - started
    if batch.tally.broken:
        sys.exit(f"{batch.tally.broken} images gave errors; see {folder}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--images", type=count, default=24)
    parser.add_argument("--slots", type=count, default=4)
    parser.add_argument("--max-tokens", type=count, default=200)
    args = parser.parse_args()
    settings: dict[str, Any] = {"n_ctx": 4096, "threads": 1, "max_tokens": args.max_tokens, "temperature": 0.0}
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = [folder / f"{i}.png" for i in range(args.images)]
        for i, path in enumerate(images):
            Image.fromarray(draw(TEST_SEEDS + i).rgb).save(path)
        for n_slots in (args.slots, 1):
            with yg.load(args.model, engine="server", n_slots=n_slots, **settings) as model:
                assert isinstance(model.engine, ServerEngine)
                with SlotWatch(model.engine) as watch:
                    seconds = seconds_of(model, images, folder / f"server-{n_slots}")
            busy = sum(watch.counts) / max(len(watch.counts), 1)
            per_minute = 60 * len(images) / seconds
            print(f"server, {n_slots} slots: {per_minute:6.1f} images a minute, {busy:.2f} slots busy", flush=True)
        with yg.load(args.model, **settings) as model:
            seconds = seconds_of(model, images, folder / "native")
        print(f"native:          {60 * len(images) / seconds:6.1f} images a minute")


if __name__ == "__main__":
    main()
