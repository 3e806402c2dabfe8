#!/usr/bin/env python3
"""Write a small data set of drawn scenes in the layout of a benchmark, to try `youtu-gguf eval` without the real data.

    python scripts/layouts/export.py refcoco /tmp/refcoco --n 20
    youtu-gguf eval refcoco /tmp/refcoco -o /tmp/results -m nano

The figures say how well the small model does on scenes like those that it has learnt from, and nothing about the
benchmark. A layout is a file here with `export(folder, n, seed)`.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count


def names() -> list[str]:
    """Return the layouts there are."""
    own = Path(__file__)
    return sorted(path.stem for path in own.parent.glob("[!_]*.py") if path != own)


def export(name: str, folder: Path, n: int, seed: int = 0) -> None:
    """Write `n` scenes in the layout `name` to a folder that is made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    import_module(f"scripts.layouts.{name}").export(folder, n, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=count, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    export(args.name, args.folder, args.n, args.seed)


if __name__ == "__main__":
    main()
