"""Formats that many images have together. A new one is a class here and a line in `DATASETS`."""

from youtu_gguf.output.datasets.base import Chunks, Dataset, Joining, Part, Piece
from youtu_gguf.output.datasets.coco import JoinedCoco
from youtu_gguf.output.datasets.labelme import JoinedLabelme
from youtu_gguf.output.datasets.panoptic import JoinedPanoptic
from youtu_gguf.output.datasets.table import ERROR, HEADING, JoinedTable
from youtu_gguf.output.datasets.yolo import JoinedYolo

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (JoinedCoco(), JoinedYolo(), JoinedLabelme(), JoinedPanoptic(), JoinedTable())
}
"""Data sets of many images by name."""

__all__ = ["DATASETS", "ERROR", "HEADING", "Chunks", "Dataset", "Joining", "Part", "Piece"]
