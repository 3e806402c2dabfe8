#!/usr/bin/env python3
"""Median seconds of `youtu-gguf --help`, `import youtu_gguf` and the first use of a name, in fresh processes.

With `--image PATH`, also of `youtu-gguf describe PATH -m nano`. Compiled modules are cached, as for most users, even
where PYTHONDONTWRITEBYTECODE is set.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count

CLI = str(Path(sys.executable).with_name("youtu-gguf"))
COMMANDS = {
    "youtu-gguf --help": [CLI, "--help"],
    "import youtu_gguf": [sys.executable, "-c", "import youtu_gguf"],
    "and use Scene": [sys.executable, "-c", "import youtu_gguf; youtu_gguf.Scene"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "bare python": [sys.executable, "-c", "pass"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - started
    if ended.returncode:
        sys.exit(f"{' '.join(command)}: expected exit code 0; got {ended.returncode}. What it wrote is above.")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=count, default=5)
    parser.add_argument("--image", metavar="PATH", help="an image to describe with nano")
    args = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    describe = {"describe -m nano": [CLI, "describe", args.image, "-m", "nano"]} if args.image else {}
    for name, command in (COMMANDS | describe).items():
        seconds(command)  # fills the file cache and that of compiled modules
        print(f"{name:20} {statistics.median(seconds(command) for _ in range(args.runs)):.3f} s")


if __name__ == "__main__":
    main()
