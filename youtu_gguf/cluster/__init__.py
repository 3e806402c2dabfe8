"""Many machines: the same questions for a million images, on Ray Data. See docs/cluster.md."""

from youtu_gguf.cluster.pool import Pool
from youtu_gguf.cluster.predictor import YoutuPredictor
from youtu_gguf.cluster.report import NodeReport, Report
from youtu_gguf.cluster.run import run

__all__ = ["NodeReport", "Pool", "Report", "YoutuPredictor", "run"]
