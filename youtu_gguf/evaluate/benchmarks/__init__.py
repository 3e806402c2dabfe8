"""Every benchmark by name. A new one is a file here and a line in `BENCHMARKS`."""

from youtu_gguf.evaluate.base import Benchmark
from youtu_gguf.evaluate.benchmarks.coco import COCO
from youtu_gguf.evaluate.benchmarks.counting import COUNTING
from youtu_gguf.evaluate.benchmarks.depth import DEPTH
from youtu_gguf.evaluate.benchmarks.imagenet import IMAGENET
from youtu_gguf.evaluate.benchmarks.semantic import SEMANTIC

_ALL: tuple[Benchmark, ...] = (
    *COCO,
    *SEMANTIC,
    *DEPTH,
    *IMAGENET,
    *COUNTING,
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
