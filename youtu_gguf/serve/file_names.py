"""Names for results that are saved as files."""

from __future__ import annotations

import re
from pathlib import PurePath
from urllib.parse import quote

from youtu_gguf.output import WRITERS
from youtu_gguf.serve.values import JSON, OVERLAY, forms_of
from youtu_gguf.types import Result

SAVED = (
    *("coco", "labelme", "yolo", "panoptic", "label_studio", "cvat", "csv"),
    *("index", "ros", "kitti", "tum", "ply", "pfm", "exr"),
)
"""Forms that are always named: no program shows them as they are."""

LONGEST_NAME = 255


def file_name(image: str, task: str, form: str, kind: type[Result]) -> str:
    """Return the name of a file: the image's without folders and ending, the task, and the ending of the format."""
    ending = {JSON: ".json", OVERLAY: ".drawing.png"}.get(form) or WRITERS[forms_of(kind)[form]].suffix
    stem = PurePath(image.replace("\\", "/")).stem
    return ".".join(filter(None, (stem, task))) + ending.removeprefix(f".{task}" if ending.count(".") > 1 else "")


def attachment(name: str) -> dict[str, str]:
    """Return the header that names a file to be saved (RFC 6266), once in ASCII and once in full."""
    plain = re.sub(r"[^\w.() -]", "_", name, flags=re.ASCII)
    full = quote(name, safe="", errors="replace")
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"}
