"""Every benchmark by name. A new one is a file here and a line in `BENCHMARKS`."""

from youtu_gguf.evaluate.base import Benchmark
from youtu_gguf.evaluate.benchmarks.coco import COCO
from youtu_gguf.evaluate.benchmarks.counting import COUNTING
from youtu_gguf.evaluate.benchmarks.depth import DEPTH
from youtu_gguf.evaluate.benchmarks.imagenet import IMAGENET
from youtu_gguf.evaluate.benchmarks.mpii import MPII
from youtu_gguf.evaluate.benchmarks.refcoco import REFCOCO
from youtu_gguf.evaluate.benchmarks.screenspot import SCREENSPOT
from youtu_gguf.evaluate.benchmarks.semantic import SEMANTIC

_ALL: tuple[Benchmark, ...] = (
    *REFCOCO,
    *COCO,
    *SEMANTIC,
    *DEPTH,
    *MPII,
    *IMAGENET,
    *COUNTING,
    *SCREENSPOT,
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
