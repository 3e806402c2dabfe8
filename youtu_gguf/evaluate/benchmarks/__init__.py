"""Every benchmark by name. A new one is a file here and a line in `BENCHMARKS`."""

from youtu_gguf.evaluate.base import Benchmark
from youtu_gguf.evaluate.benchmarks.depth import DEPTH

_ALL: tuple[Benchmark, ...] = (*DEPTH,)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
