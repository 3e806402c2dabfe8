"""Asks /healthz in a process of its own, whose clock other clients cannot hold up, until its input ends.

    python scripts/soak/_serve_health.py PORT

Prints the milliseconds of every answer as JSON; one that was no answer counts as infinitely many.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._asking import Client

EVERY_S = 0.02


def main() -> None:
    stop = threading.Event()

    def stop_at_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=stop_at_end, daemon=True).start()
    found = []
    with Client(int(sys.argv[1])) as client:
        while not stop.wait(EVERY_S):
            started = time.perf_counter()
            try:
                good = client.send("GET", "/healthz").status == 200
            except OSError:
                good = False
            found.append(1e3 * (time.perf_counter() - started) if good else math.inf)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
