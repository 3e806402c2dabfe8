"""Every benchmark by name. A new one is a file here and a line in `BENCHMARKS`."""

from youtu_gguf.evaluate.base import Benchmark
from youtu_gguf.evaluate.benchmarks.depth import DEPTH
from youtu_gguf.evaluate.benchmarks.refcoco import REFCOCO
from youtu_gguf.evaluate.benchmarks.screenspot import SCREENSPOT

_ALL: tuple[Benchmark, ...] = (
    *DEPTH,
    *REFCOCO,
    *SCREENSPOT,
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
