"""The same questions for many images. The results are in a folder, and a later run resumes there. See docs/batch.md."""

from youtu_gguf.batch.journal import FILES, Journal
from youtu_gguf.batch.paths import find_images
from youtu_gguf.batch.run import Asked, Batch, Tally, settings_of

__all__ = ["FILES", "Asked", "Batch", "Journal", "Tally", "find_images", "settings_of"]
