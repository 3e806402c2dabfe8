"""Values without anything beside them: an answer's words, and the numbers of a map for programs that know its shape.

Numbers are little-endian, row by row from the top left.
"""

from youtu_gguf.errors import InputError
from youtu_gguf.output.source import Source
from youtu_gguf.types import Count, DepthMap, LabelMap, Text


def encode_text(words: Text | Count, _source: Source) -> bytes:
    """Return the words of an answer, or a number, as a line of UTF-8; half a surrogate pair becomes its escape."""
    return f"{words}\n".encode(errors="backslashreplace")


def encode_distances(depth: DepthMap, _source: Source) -> bytes:
    """Return a depth map as float32, 4 bytes a pixel; 0 is invalid."""
    return depth.values.astype("<f4").tobytes()


def encode_margin(labels: LabelMap, _source: Source) -> bytes:
    """Return the margin of a label map as float32, 4 bytes a pixel.

    Raises:
        InputError: It has none.
    """
    if labels.margin is None:
        raise InputError("expected a label map with its margin; got one without. Segment with scores.")
    return labels.margin.astype("<f4").tobytes()


def encode_ids(labels: LabelMap, _source: Source) -> bytes:
    """Return a label map as int32, 4 bytes a pixel; -1 is the background."""
    return labels.ids.astype("<i4").tobytes()
