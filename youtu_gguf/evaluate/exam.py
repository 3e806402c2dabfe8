"""An exam: a benchmark with every choice made, and the samples that are asked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Benchmark, Data, Preset, Sample
from youtu_gguf.evaluate.benchmarks import BENCHMARKS


@dataclass(frozen=True, eq=False)
class Exam:
    """A benchmark with its data, its settings, and the samples that are asked.

    Attributes:
        benchmark: The benchmark.
        split: Which part of the data.
        preset: The settings that were started from.
        options: The value of every setting by name.
        data: The whole split.
        samples: Those that are asked, in the order of the data.
        limit: How many were wanted at most; None for all.
        seed: Which ones these are.
    """

    benchmark: Benchmark
    split: str
    preset: Preset
    options: Mapping[str, Any]
    data: Data
    samples: Sequence[Sample]
    limit: int | None = None
    seed: int = 0


def find_benchmark(name: str) -> Benchmark:
    """Return the benchmark of a name.

    Raises:
        InputError: There is none.
    """
    if name not in BENCHMARKS:
        raise yg.InputError(f"expected a benchmark, one of {', '.join(BENCHMARKS)}; got {name!r}.")
    return BENCHMARKS[name]


def prepare(
    benchmark: Benchmark | str,
    folder: str | Path,
    *,
    split: str | None = None,
    preset: Preset = "report",
    changed: Mapping[str, Any] | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Exam:
    """Read a data set and choose what is asked.

    Args:
        benchmark: The benchmark, or its name.
        folder: Where the data set lies.
        split: Which part of it; the usual one by default.
        preset: The settings to start from: those of the authors' report, as far as they are known, or cheaper ones.
        changed: Values of settings by name.
        limit: Ask at most this many samples. Those of a small limit are among those of a larger one.
        seed: Chooses other samples.

    Raises:
        InputError: The data set is missing or broken, a choice does not exist, or answers could not be measured.
    """
    if isinstance(benchmark, str):
        benchmark = find_benchmark(benchmark)
    split = benchmark.splits[0] if split is None else split
    if split not in benchmark.splits:
        raise yg.InputError(f"{benchmark.name} has the splits {', '.join(benchmark.splits)}; got {split!r}.")
    if preset not in get_args(Preset):
        raise yg.InputError(f"expected a preset, {' or '.join(get_args(Preset))}; got {preset!r}.")
    if limit is not None and limit < 1:
        raise yg.InputError(f"expected a limit of at least 1 sample; got {limit}.")
    options = benchmark.options(preset, changed)
    data = benchmark.read(Path(folder), split)
    _check(data, f"{benchmark.name} {split} in {folder}")
    benchmark.kind.measure(data, options)  # what cannot be measured is not to be asked
    return Exam(benchmark, split, preset, options, data, choose(data.samples, limit, seed), limit, seed)


def choose(samples: Sequence[Sample], limit: int | None, seed: int) -> tuple[Sample, ...]:
    """Return at most `limit` samples in their order.

    Samples are ranked by a hash of the seed and their id, so that those of a small limit are among those of a larger
    one, on every machine, and whatever else is in the data.
    """
    if limit is None or limit >= len(samples):
        return tuple(samples)

    def rank(sample: Sample) -> bytes:
        return hashlib.sha256(f"{seed} {sample.id}".encode(errors="surrogatepass")).digest()

    chosen = {sample.id for sample in sorted(samples, key=rank)[:limit]}
    return tuple(sample for sample in samples if sample.id in chosen)


def read_settings(benchmark: Benchmark, typed: Sequence[str]) -> dict[str, Any]:
    """Return the values of settings that were typed as NAME=VALUE.

    Raises:
        InputError: One is of another form, or does not exist, or its value is of no use.
    """
    readers = {setting.name: setting.read for setting in benchmark.settings if setting.read is not None}
    values = {}
    for text in typed:
        name, equals, value = text.partition("=")
        if not equals:
            raise yg.InputError(f"expected a setting as NAME=VALUE; got {text!r}.")
        if name not in readers:
            free = ", ".join(readers) or "none to choose"
            raise yg.InputError(f"{benchmark.name} has the settings {free}; got {name!r}.")
        values[name] = readers[name](value)
    return values


def _check(data: Data, where: str) -> None:
    """Refuse data that cannot be asked about.

    Raises:
        InputError: There are no samples, two have the same id, or an image lies elsewhere.
    """
    if not data.samples:
        raise yg.InputError(f"expected samples of {where}; there are none. See `youtu-gguf eval list NAME`.")
    name, n = Counter(sample.id for sample in data.samples).most_common(1)[0]
    if n > 1:
        raise yg.InputError(f"expected a different id for every sample of {where}; {name!r} is there {n} times.")
    for sample in data.samples:
        if not sample.image.is_relative_to(data.folder):
            raise yg.InputError(f"expected images below {data.folder}; sample {sample.id!r} has {sample.image}.")
