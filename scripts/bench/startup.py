#!/usr/bin/env python3
"""Median seconds of `youtu-gguf --help`, `import youtu_gguf` and the first use of a name, in fresh processes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count

COMMANDS = {
    "youtu-gguf --help": [str(Path(sys.executable).with_name("youtu-gguf")), "--help"],
    "import youtu_gguf": [sys.executable, "-c", "import youtu_gguf"],
    "and use Scene": [sys.executable, "-c", "import youtu_gguf; youtu_gguf.Scene"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "bare python": [sys.executable, "-c", "pass"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=count, default=5)
    args = parser.parse_args()
    for name, command in COMMANDS.items():
        seconds(command)  # fills the file cache
        print(f"{name:20} {statistics.median(seconds(command) for _ in range(args.runs)):.3f} s")


if __name__ == "__main__":
    main()
