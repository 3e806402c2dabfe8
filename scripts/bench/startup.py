#!/usr/bin/env python3
"""Median seconds of `youtu-gguf --help`, `import youtu_gguf` and the first use of a name, in fresh processes.

With `--image PATH`, also of `youtu-gguf describe PATH -m nano`. Compiled modules are cached, as for every user, even
where PYTHONDONTWRITEBYTECODE is set: compiling them each time would take most of the time.
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
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=count, default=5)
    parser.add_argument("--image", metavar="PATH", help="an image to describe with nano")
    args = parser.parse_args()
    describe = {"describe -m nano": [CLI, "describe", args.image, "-m", "nano"]} if args.image else {}
    for name, command in (COMMANDS | describe).items():
        seconds(command)  # fills the file cache and that of compiled modules
        print(f"{name:20} {statistics.median(seconds(command) for _ in range(args.runs)):.3f} s")


if __name__ == "__main__":
    main()
