#!/usr/bin/env python3
"""Full size in Q4_K_M, as it is and with rearranged weights, beside Q8_0: bytes, memory, speed in turns."""

from __future__ import annotations

import argparse

from _compare import Candidate, compare
from _full import add_pair_option, full_pair, machine, smaller_pair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_pair_option(parser)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    smaller = smaller_pair(args.folder, "Q4_K_M")
    print(machine())
    candidates = {
        "Q8_0": Candidate(*full_pair(args.folder), {}),
        "Q4_K_M": Candidate(*smaller, {}),
        "Q4_K_M, repacked": Candidate(*smaller, {"repack": True}),
    }
    compare(candidates, args.rounds)


if __name__ == "__main__":
    main()
