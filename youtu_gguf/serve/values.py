"""Results as answers: our JSON, and files in the formats of `output`, chosen by name or by what a client accepts."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from youtu_gguf.atomic import json_bytes
from youtu_gguf.output import WRITERS, Source, to_json, writers_of
from youtu_gguf.output.depth_png import INVALID, depth_levels
from youtu_gguf.output.index_png import background_level, grey_index_png
from youtu_gguf.output.ply import encode_ply
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.results import StoredResult
from youtu_gguf.serve.task_requests import Output
from youtu_gguf.types import DepthMap, Instances, LabelMap, Mask, Result

OVERLAY, PIXELS, NUMBERS, JSON = "overlay", "png", "raw", "json"
"""Forms with names of their own: the drawing; distances, classes or objects as grey levels; a map's numbers alone."""

_MEDIA = {
    "application/json": JSON,
    "image/png": PIXELS,
    "application/x-npz": "npz",
    "application/octet-stream": NUMBERS,
    "text/plain": "txt",
    "text/csv": "csv",
}
"""Forms by media type, the first being taken where a client accepts any."""


_RENAMED = ("png", "depth.png")
"""Formats that no form is named after: `OVERLAY` and `PIXELS` stand for them."""


@dataclass(frozen=True)
class File:
    """An answer that is a file.

    Attributes:
        body: Its bytes.
        media_type: What they are.
        headers: What a program must know to read them.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


def forms_of(kind: type[Result]) -> dict[str, str]:
    """Return the forms that values of a type have over HTTP: names, with the names of the formats of `output`."""
    names = [writer.name for writer in writers_of(kind)]
    forms = {name.split(".")[0]: name for name in names if name not in _RENAMED}
    for form, formats in ((OVERLAY, ("png",)), (PIXELS, ("depth.png", "index.png")), (NUMBERS, ("f32", "i32"))):
        own = next((name for name in formats if name in names), None)
        forms |= {} if own is None else {form: own}
    return forms


def media_types(kind: type[Result]) -> list[str]:
    """Return the media types that values of a type can be had as."""
    forms = forms_of(kind)
    return [media for media, form in _MEDIA.items() if form in forms]


def checked_form(name: str, kind: type[Result]) -> str:
    """Return a form by its name.

    Raises:
        ApiError: Values of this type have no such form.
    """
    forms = forms_of(kind)
    if name not in forms:
        message = f"a {kind.__name__} can be had as {', '.join(forms)}; got as={name[:40]!r}."
        raise ApiError(400, "invalid_argument", message, param="as")
    return name


def accepted_form(accept: str, kind: type[Result]) -> str:
    """Return the form that a client likes best, by the header `Accept` of its request.

    Raises:
        ApiError: It accepts none that values of this type have.
    """
    wanted = _ranges(accept)
    offered = media_types(kind)
    liked = max(offered, key=lambda media: _quality(media, wanted))  # the first of equals
    if not _quality(liked, wanted):
        known = ", ".join(offered)
        message = f"a {kind.__name__} can be had as {known}; got Accept: {accept[:80]}. A drawing is as=overlay."
        raise ApiError(406, "not_acceptable", message)
    return _MEDIA[liked]


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Return the media ranges of an `Accept` header with their qualities; any where it is empty."""
    found = []
    for item in accept.split(",") if accept.strip() else ("*/*",):
        media, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            found.append((media, float(quality)))
        except ValueError:
            found.append((media, 0.0))
    return found


def _quality(media: str, wanted: Sequence[tuple[str, float]]) -> float:
    """Return how much `media` is liked: what the most precise of the ranges that it is in says."""
    kind = f"{media.partition('/')[0]}/*"
    for name in (media, kind, "*/*"):
        qualities = [quality for given, quality in wanted if given == name]
        if qualities:
            return max(qualities)
    return 0.0


def answer_form(result: StoredResult, output: Output) -> dict[str, Any]:
    """Return a result as our JSON."""
    value, spent = result.value, result.value.timings
    form = to_json(
        value, masks=output.masks, id=result.id, request_id=result.request_id, image=result.image, task=result.task
    )
    seconds = {
        "queue_s": result.queue_s,
        **{name: getattr(spent, name) for name in ("wait_s", "encode_s", "prefill_s", "generate_s", "decode_s")},
        "total_s": result.total_s,
    }
    return {
        **form,
        **({} if result.via is None else {"via": result.via}),
        **_map(value, output),
        "issues": [{**issue, "message": _in_our_words(issue["message"])} for issue in form["issues"]],
        "usage": {
            "image_tokens": spent.n_image_tokens,
            "cached_tokens": spent.n_cached,
            "prompt_tokens": spent.n_prompt,
            "generated_tokens": spent.n_generated,
        },
        "timings": {name: round(value, 4) for name, value in seconds.items()},
    }


def _in_our_words(message: str) -> str:
    """Return an issue with the names that settings have over HTTP."""
    return message.replace("raise max_s ", "raise max_seconds ")


def _map(value: Result, output: Output) -> dict[str, Any]:
    """Return the key "map" of a map's JSON, where its pixels are wanted in it."""
    if output.map == "none":
        return {}
    match value:
        case DepthMap():
            levels = depth_levels(value)
            meaning = {"scale": levels.scale, "invalid": INVALID, "unit": levels.unit}
            return {"map": {"png": _base64(levels.to_png()), **meaning}}
        case LabelMap():
            return {"map": {"png": _base64(grey_index_png(value)), "background": background_level(value)}}
    return {}


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def needs_pixels(form: str) -> bool:
    """Whether a form has the image's colours in it."""
    return form in (OVERLAY, "ply")


def answer_file(
    result: StoredResult, form: str, source: Source, output: Output | None = None, *, step: int = 1
) -> File:
    """Return a result as a file.

    Args:
        result: What was asked for.
        form: One of `forms_of` its type.
        source: What is known of the image, with its pixels where `needs_pixels`.
        output: How JSON tells pixels.
        step: Every how many pixels there is a point in space.

    Raises:
        InputError: A count without boxes has neither a drawing nor arrays nor objects; or points in space lack metres
            or a focal length.
    """
    own = {"X-Result-Id": result.id}
    if form == JSON:
        return File(json_bytes(answer_form(result, output or Output())), "application/json", own)
    writer = WRITERS[forms_of(type(result.value))[form]]
    if form == PIXELS and isinstance(result.value, Mask | Instances | LabelMap):
        return File(grey_index_png(result.value), writer.media_type, own)
    if form == PIXELS and isinstance(result.value, DepthMap):
        levels = depth_levels(result.value)
        meaning = {"X-Scale": repr(levels.scale), "X-Unit": levels.unit, "X-Invalid": str(INVALID)}
        return File(levels.to_png(), writer.media_type, own | _shape(levels.levels) | meaning)
    described: dict[str, str] = {}
    match result.value, writer.name:
        case DepthMap(values=values, unit=unit), "f32":
            described = _shape(values) | {"X-Unit": unit}
        case LabelMap(ids=ids), "i32":
            described = _shape(ids)
        case LabelMap(margin=margin), "margin.f32" if margin is not None:
            described = _shape(margin)
    if isinstance(result.value, DepthMap) and writer.name == "ply":
        return File(encode_ply(result.value, source, step), writer.media_type, own)
    return File(writer.encode(result.value, source), writer.media_type, own | described)


def _shape(pixels: npt.NDArray[Any]) -> dict[str, str]:
    """Return the headers that say how many rows and columns there are, and what numbers."""
    return {"X-Shape": ",".join(map(str, pixels.shape)), "X-Dtype": pixels.dtype.name}


def event_json(data: Mapping[str, Any]) -> str:
    """Return an object as one line of JSON for an event; half a surrogate pair becomes its escape."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="backslashreplace").decode()
