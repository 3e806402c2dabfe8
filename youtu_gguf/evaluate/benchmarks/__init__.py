"""Every benchmark by name. A new one is a file here and a line in `BENCHMARKS`."""

from youtu_gguf.evaluate.base import Benchmark

_ALL: tuple[Benchmark, ...] = (
    # one line for each file
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
