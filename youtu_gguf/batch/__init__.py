"""The same questions for many images. The results are in a folder, and a later run resumes there. See docs/batch.md."""

from youtu_gguf.batch.datasets import Finished, FinishedImage, Written, write_datasets
from youtu_gguf.batch.image import Asked, checked_formats
from youtu_gguf.batch.journal import FILES, Journal
from youtu_gguf.batch.paths import find_images
from youtu_gguf.batch.run import Batch, Tally, settings_of
from youtu_gguf.batch.worker import Worker

__all__ = [
    "FILES",
    "Asked",
    "Batch",
    "Finished",
    "FinishedImage",
    "Journal",
    "Tally",
    "Worker",
    "Written",
    "checked_formats",
    "find_images",
    "settings_of",
    "write_datasets",
]
