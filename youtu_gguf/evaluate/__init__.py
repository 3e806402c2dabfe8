"""How good a model's answers are: benchmarks on data sets that users have, beside the authors' figures.

Data are neither downloaded nor shipped. See docs/evaluation.md.
"""

from youtu_gguf.evaluate.base import Benchmark, Data, Figure, Kind, Measure, Prediction, Sample, Setting
from youtu_gguf.evaluate.benchmarks import BENCHMARKS

__all__ = ["BENCHMARKS", "Benchmark", "Data", "Figure", "Kind", "Measure", "Prediction", "Sample", "Setting"]
