"""Images as PNG files, drawings of results among them."""

from pathlib import Path

from youtu_gguf.atomic import write_bytes
from youtu_gguf.output.source import UNKNOWN, Source
from youtu_gguf.render import draw
from youtu_gguf.types import U8, Result
from youtu_gguf.types.colours import png_bytes


def write_drawing(path: str | Path, result: Result, source: Source = UNKNOWN) -> None:
    """Write `result` drawn over the source image, as `render.draw` does.

    Raises:
        InputError: Such a result has no drawing, or the source has no pixels.
        OutputError: The file cannot be written.
    """
    write_png(path, draw(source.pixels("a drawing"), result))


def write_png(path: str | Path, rgb: U8) -> None:
    """Write an (H, W, 3) uint8 image.

    Raises:
        OutputError: The file cannot be written.
    """
    write_bytes(path, png_bytes(rgb))
