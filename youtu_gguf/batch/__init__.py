"""The same questions of many images, with results in a folder that a later run goes on with. See docs/batch.md."""

from youtu_gguf.batch.journal import FILES, Journal
from youtu_gguf.batch.paths import find_images
from youtu_gguf.batch.run import Asked, Batch, Tally, settings_of

__all__ = ["FILES", "Asked", "Batch", "Journal", "Tally", "find_images", "settings_of"]
