"""A labelling setup: which labels are drawn on which image, and how. Its XML is read without a document type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from youtu_gguf.serve.errors import ApiError

KINDS = ("rectanglelabels", "brushlabels", "polygonlabels", "keypointlabels")
"""Controls that values become regions of. Each is also the type of its regions, and the name of their labels."""

_LONGEST, _DEEPEST, _MOST_TAGS = 1 << 18, 64, 10_000


@dataclass(frozen=True, eq=False)
class Control:
    """A set of labels to draw with.

    Attributes:
        kind: One of `KINDS`.
        name: What regions call it, as `from_name`.
        to_name: The image that it is for.
        data_key: Where a task's data has that image.
        labels: Label by the name that the model looks for.
        smart: Whether people point at things with it, for a mask of them.
    """

    kind: str
    name: str
    to_name: str
    data_key: str
    labels: Mapping[str, str] = field(default_factory=dict)
    smart: bool = False


@dataclass
class _Tag:
    name: str
    attributes: Mapping[str, str]
    parent: _Tag | None


def read_setup(xml: str) -> tuple[Control, ...]:
    """Return the controls of a labelling setup whose image is known, in their order.

    Raises:
        ApiError: It is no XML, has a document type, or is too long.
    """
    tags = _read_tags(xml)
    images = {
        tag.attributes["name"]: tag.attributes["value"][1:]
        for tag in tags
        if tag.name == "image" and "name" in tag.attributes and tag.attributes.get("value", "").startswith("$")
    }
    controls = (tag for tag in tags if tag.name in KINDS and "name" in tag.attributes)
    return tuple(
        Control(
            tag.name,
            tag.attributes["name"],
            tag.attributes["toName"],
            images[tag.attributes["toName"]],
            _labels(tag, tags),
            tag.attributes.get("smart", "").lower() == "true",
        )
        for tag in controls
        if tag.attributes.get("toName") in images
    )


def _labels(control: _Tag, tags: list[_Tag]) -> dict[str, str]:
    """Return the labels of a control by what they are called in an image: their values, or `predicted_values`."""
    found: dict[str, str] = {}
    for tag in tags:
        value = tag.attributes.get("value", "")
        if tag.name == "label" and tag.parent is control and value:
            label = tag.attributes.get("alias") or value
            for name in tag.attributes.get("predicted_values", value).split(","):
                found.setdefault(name.strip(), label)
    return {name: label for name, label in found.items() if any(map(str.isalnum, name))}


def _read_tags(xml: str) -> list[_Tag]:
    """Return all tags in order. A document type, and with it entities of its own, is refused as soon as it begins."""
    tags: list[_Tag] = []
    open_tags: list[_Tag] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_tags) >= _DEEPEST or len(tags) >= _MOST_TAGS:
            raise _refused(f"it has more than {_MOST_TAGS} tags, or more than {_DEEPEST} inside each other")
        tag = _Tag(name.lower(), attributes, open_tags[-1] if open_tags else None)
        tags.append(tag)
        open_tags.append(tag)

    def end(_name: str) -> None:
        open_tags.pop()

    def refuse_type(*_: Any) -> None:
        raise _refused("it has a document type")

    if len(xml) > _LONGEST:
        raise _refused(f"it is longer than {_LONGEST} characters")
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse_type
    try:
        parser.Parse(xml.encode(errors="surrogatepass"), True)
    except expat.ExpatError as exc:
        raise _refused(f"it is no XML: {exc}") from exc
    return tags


def _refused(why: str) -> ApiError:
    return ApiError(400, "invalid_argument", f"the labelling setup cannot be read: {why}.", param="label_config")
