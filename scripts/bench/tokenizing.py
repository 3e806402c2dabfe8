"""What it costs to tokenise with the published vocabulary, in the forms that converters may give it.

    python scripts/bench/tokenizing.py

Prints a table in milliseconds, medians: one call of llama.cpp each for a question with its control tokens, for a class
name, and for an answer of 160 tags; then 150 class names one by one, together, and asked again. The files have the full
vocabulary and the tiny pair's weights (28 MB each), since weights play no part.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

from _full import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from youtu_gguf import prompts
from youtu_gguf.engines.native.engine import NativeEngine
from youtu_gguf.engines.native.llama.tokenizer import Tokenizer
from youtu_gguf.types import FileForm
from youtu_gguf.weights.synthetic.layout import FULL, TINY
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

WORDS = ("wall", "traffic light", "bed", "t-shirt", "swimming pool", "person", "crt screen", "小狗")
NAMES = [f"{WORDS[n % len(WORDS)]} {chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(150)]
QUESTION = "".join(prompts.closing("Segment: wall, floor, ceiling, without the background class."))
ANSWER = "<ref>cat</ref><box><x_1><y_2><x_3><y_4></box>" * 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forms", nargs="+", choices=get_args(FileForm), default=["named", "zero-padded", "padded"])
    parser.add_argument("--rounds", type=count, default=9, metavar="N", help="Rounds of each measurement.")
    options = parser.parse_args()
    print(machine())
    print("| form | load, s | question | class name | answer | 150 names one by one | together | again |")
    print("|---|---|---|---|---|---|---|---|")
    for form in options.forms:
        with loaded(form) as (vocab, seconds):
            print(f"| {form} | {seconds:.2f} | " + " | ".join(f"{ms:.3g}" for ms in row(vocab, options.rounds)) + " |")


@contextmanager
def loaded(form: FileForm) -> Iterator[tuple[object, float]]:
    """Yield the vocabulary of a loaded model of this form, and the seconds it took to load."""
    shape = replace(TINY, name="full-vocabulary", vocabulary=FULL.vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        pair = write_synthetic_pair(folder, shape, variant=form)
        start = time.perf_counter()
        with yg.load(*pair, n_ctx=512) as model:
            assert isinstance(model.engine, NativeEngine)
            yield model.engine.model.vocab, time.perf_counter() - start


def row(vocab: object, rounds: int) -> Iterator[float]:
    for text, special in ((QUESTION, True), (NAMES[0], False), (ANSWER, True)):
        yield median_ms(rounds, lambda t=text, s=special: Tokenizer(vocab).ids(t, special=s))  # type: ignore[misc]
    yield median_ms(max(1, rounds // 3), lambda: [Tokenizer(vocab).ids(name, special=False) for name in NAMES])
    yield median_ms(rounds, lambda: Tokenizer(vocab).ids_of_all(NAMES))
    known = Tokenizer(vocab)
    known.ids_of_all(NAMES)
    yield median_ms(rounds, lambda: known.ids_of_all(NAMES))


def median_ms(rounds: int, run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main()
