"""Results as files and text. A new format is a function here and a line in `WRITERS`."""

from pathlib import Path

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError
from youtu_gguf.output.coco import encode_coco
from youtu_gguf.output.csv import IN_TABLES, encode_csv
from youtu_gguf.output.cvat import encode_cvat
from youtu_gguf.output.depth_png import DEPTH_FORMS, DepthForm
from youtu_gguf.output.float_images import encode_exr, encode_pfm
from youtu_gguf.output.index_png import encode_index_png, index_names
from youtu_gguf.output.json import encode_json, to_json
from youtu_gguf.output.label_studio import encode_label_studio, label_studio_setup
from youtu_gguf.output.labelme import encode_labelme
from youtu_gguf.output.npz import encode_npz
from youtu_gguf.output.objects import WITH_OBJECTS
from youtu_gguf.output.panoptic import encode_panoptic
from youtu_gguf.output.ply import encode_ply
from youtu_gguf.output.png import encode_drawing, write_png
from youtu_gguf.output.raw import encode_distances, encode_ids, encode_margin, encode_text
from youtu_gguf.output.source import UNKNOWN, Source, asked_label
from youtu_gguf.output.writer import Writer
from youtu_gguf.output.yolo import encode_yolo
from youtu_gguf.types import (
    Action,
    Boxes,
    Count,
    DepthMap,
    Instances,
    LabelMap,
    Mask,
    Polygons,
    Poses,
    Result,
    Text,
)

_WITH_ARRAYS = (Count, Boxes, Polygons, Poses, Mask, Instances, LabelMap, DepthMap, Action)


def _depth_writer(form: DepthForm) -> Writer:
    return Writer(form.name, "image/png", (DepthMap,), form.encode, form.beside)


WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer("txt", "text/plain; charset=utf-8", (Text, Count), encode_text),
        Writer("json", "application/json", (Result,), encode_json),
        Writer("npz", "application/x-npz", _WITH_ARRAYS, encode_npz),
        Writer("png", "image/png", _WITH_ARRAYS, encode_drawing),
        _depth_writer(DEPTH_FORMS[0]),
        Writer("index.png", "image/png", (LabelMap, Mask, Instances), encode_index_png, index_names),
        Writer("coco.json", "application/json", WITH_OBJECTS, encode_coco),
        Writer("labelme.json", "application/json", WITH_OBJECTS, encode_labelme),
        Writer("yolo.zip", "application/zip", WITH_OBJECTS, encode_yolo),
        Writer("panoptic.zip", "application/zip", (LabelMap, Instances), encode_panoptic),
        Writer("label_studio.json", "application/json", WITH_OBJECTS, encode_label_studio, label_studio_setup),
        Writer("cvat.xml", "application/xml", WITH_OBJECTS, encode_cvat),
        Writer("csv", "text/csv; charset=utf-8", IN_TABLES, encode_csv),
        Writer("ply", "application/octet-stream", (DepthMap,), encode_ply),
        Writer("pfm", "application/octet-stream", (DepthMap,), encode_pfm),
        Writer("exr", "image/x-exr", (DepthMap,), encode_exr),
        *map(_depth_writer, DEPTH_FORMS[1:]),
        Writer("f32", "application/octet-stream", (DepthMap,), encode_distances),
        Writer("i32", "application/octet-stream", (LabelMap,), encode_ids),
        Writer("margin.f32", "application/octet-stream", (LabelMap,), encode_margin),
    )
}
"""Formats by name. A file is of the format in whose suffix its name ends; of several, as ".png" and ".depth.png", of
the one with the longest."""

__all__ = [
    "UNKNOWN",
    "WRITERS",
    "Source",
    "Writer",
    "asked_label",
    "encode",
    "find_writer",
    "to_json",
    "write_bytes",
    "write_png",
    "writers_of",
]


def encode(result: Result, format_name: str, source: Source = UNKNOWN) -> bytes:
    """Return `result` as the bytes of a file of the format `format_name`, one of `WRITERS`.

    Raises:
        InputError: There is no such format, it has no form for such a result, or it needs more of the source.
    """
    return _named(format_name).encode(result, source)


def find_writer(path: str | Path, format_name: str | None = None) -> Writer:
    """Return the writer of the format `format_name`, or of the one that the end of the path's name tells when None.

    Raises:
        InputError: There is no such format.
    """
    if format_name is not None:
        return _named(format_name)
    name = Path(path).name.lower()
    found = [writer for writer in WRITERS.values() if name.endswith(writer.suffix)]
    if not found:
        suffixes = ", ".join(writer.suffix for writer in WRITERS.values())
        raise InputError(f"expected a file name that ends in {suffixes}; got {path}. Use one, or name the format.")
    return max(found, key=lambda writer: len(writer.suffix))


def writers_of(kind: type[Result]) -> tuple[Writer, ...]:
    """Return the writers of the formats that values of a type have a form in."""
    return tuple(writer for writer in WRITERS.values() if issubclass(kind, writer.takes))


def _named(name: object) -> Writer:
    if not isinstance(name, str) or name not in WRITERS:
        raise InputError(f"expected a format among {', '.join(WRITERS)}; got {name!r}.")
    return WRITERS[name]
