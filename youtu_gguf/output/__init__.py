"""Results as files and text. A new format is a function here and a line in `WRITERS`."""

from pathlib import Path

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.json import to_json, write_json
from youtu_gguf.output.npz import write_npz
from youtu_gguf.output.png import write_drawing, write_png
from youtu_gguf.output.source import Source, Writer

WRITERS: dict[str, Writer] = {"json": write_json, "npz": write_npz, "png": write_drawing}
"""Writers by the format's name. A file whose name ends in `.` and that name is of the format; of several such formats,
as "json" and "coco.json", it is of the one with the longest name."""

__all__ = [
    "WRITERS",
    "Source",
    "Writer",
    "find_writer",
    "to_json",
    "write_bytes",
    "write_drawing",
    "write_json",
    "write_npz",
    "write_png",
]


def find_writer(path: str | Path, format_name: str | None = None) -> Writer:
    """Return the writer of the format `format_name`, or of the one that the end of the path's name tells when None.

    Raises:
        InputError: There is no such format.
    """
    if format_name is not None:
        if not isinstance(format_name, str) or format_name not in WRITERS:
            raise InputError(f"expected a format among {', '.join(WRITERS)}; got {format_name!r}.")
        return WRITERS[format_name]
    name = Path(path).name.lower()
    ends = [end for end in WRITERS if name.endswith(f".{end}")]
    if not ends:
        raise InputError(
            f"expected a file name that ends in .{', .'.join(WRITERS)}; got {path}. Use one, or name the format."
        )
    return WRITERS[max(ends, key=len)]
