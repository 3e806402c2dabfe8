"""Pictures as PNG files."""

from io import BytesIO
from pathlib import Path

from youtu_gguf.atomic import write_bytes
from youtu_gguf.types import U8


def write_png(path: str | Path, rgb: U8) -> None:
    """Write an (H, W, 3) uint8 picture.

    Raises:
        InputError: The file cannot be written.
    """
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())
