"""Results as files and text. A new format is a function here and a line in `WRITERS`."""

from collections.abc import Callable
from typing import Any

from youtu_gguf.atomic import write_bytes
from youtu_gguf.output.json import to_json, write_json
from youtu_gguf.output.npz import write_npz
from youtu_gguf.output.png import write_png

WRITERS: dict[str, Callable[..., Any]] = {"json": write_json, "npz": write_npz, "png": write_png}
"""Writers by the suffix they write: `write(path, what)`."""

__all__ = ["WRITERS", "to_json", "write_bytes", "write_json", "write_npz", "write_png"]
