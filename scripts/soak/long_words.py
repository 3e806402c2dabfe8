#!/usr/bin/env python3
"""Finds how many characters in a row overflow llama.cpp's tokeniser, for threads of two stack sizes.

Each attempt runs in a child process, since an overflow ends the process. engines/native/llama/runs.py sets its limit by
these figures.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

KINDS = {"letters": "a", "spaces": " ", "signs": "!", "Chinese": "杯", "digits": "7"}
STACKS_KB = (8192, 512)
MOST = 200_000


def tokenise(model_path: str, kind: str, n: int, stack_kb: int) -> None:
    """Tokenise `n` characters without the package's own check, in a thread with this stack."""
    from llama_cpp import llama_cpp as lib

    from youtu_gguf.engines.native.llama import bindings

    bindings.start()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    vocab = lib.llama_model_get_vocab(lib.llama_model_load_from_file(model_path.encode(), params))
    data = (KINDS[kind] * n).encode()
    buffer = (ctypes.c_int32 * (len(data) + 2))()

    def call() -> None:
        lib.llama_tokenize(vocab, data, len(data), buffer, len(buffer), False, False)

    threading.stack_size(stack_kb * 1024)
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def survives(model: Path, kind: str, n: int, stack_kb: int) -> bool:
    command = [sys.executable, __file__, "--child", str(model), kind, str(n), str(stack_kb)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def first_fatal(model: Path, kind: str, stack_kb: int) -> int | None:
    """Return how many characters end the process, within 5 %; None if `MOST` characters do not."""
    low, high = 0, MOST
    if survives(model, kind, high, stack_kb):
        return None
    while high - low > max(50, low // 20):
        middle = (low + high) // 2
        low, high = (middle, high) if survives(model, kind, middle, stack_kb) else (low, middle)
    return high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        tokenise(args.child[0], args.child[1], int(args.child[2]), int(args.child[3]))
        return
    from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

    with tempfile.TemporaryDirectory() as folder:
        model, _ = write_synthetic_pair(folder, "tiny")
        for stack_kb in STACKS_KB:
            for kind in KINDS:
                fatal = first_fatal(model, kind, stack_kb)
                print(f"{stack_kb:5} KB stack, {kind:8} {f'{fatal:,} are fatal' if fatal else f'{MOST:,} are fine'}")


if __name__ == "__main__":
    main()
