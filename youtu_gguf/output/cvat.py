"""Objects as CVAT's annotations of images, version 1.1: to be corrected by hand, and imported or exported there.

Boxes are corners, masks keep every pixel, and a person is a skeleton of 16 joints. CVAT has no place for scores.
Source: docs.cvat.ai, "XML annotation format"; the run lengths of masks go row by row through the mask's own rectangle,
the first counting pixels outside, as CVAT's `mask2Rle` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from youtu_gguf.errors import InputError
from youtu_gguf.facts import MPII_JOINTS
from youtu_gguf.output.objects import HIDDEN, PERSON, UNSEEN, Item, check_size, items_of, size_of
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.output.xml import xml_bytes, xml_text
from youtu_gguf.types import F32, Bits, Poses, Result, Size, extent

_VERSION = "1.1"
_COMMON = {"source": "auto", "occluded": "0", "z_order": "0"}


class CvatDataset:
    """Annotations of images as CVAT tells them, which match its images by name and its labels by theirs.

    Persons with joints make a data set of their own, since their label is a skeleton, which no box can have.

    Args:
        categories: Names of the first labels, in this order; others follow as they appear.
    """

    def __init__(self, categories: Iterable[str] = ()) -> None:
        self._labels = dict.fromkeys(map(xml_text, categories))
        self._images: dict[str, Element] = {}
        self._has_joints: bool | None = None

    def add(self, name: str, size: Size, result: Result | None = None, *, label: str = UNNAMED) -> None:
        """Add an image, or a further result of one that is there.

        Args:
            name: File name of the image, which may begin with folders. Images of the same name are one.
            size: Its size, upright.
            result: One of `objects.WITH_OBJECTS`; None for an image with nothing in it.
            label: The label of a mask, which has none.

        Raises:
            InputError: A count without boxes; persons together with other objects; or another size than before.
        """
        found = () if result is None else tuple(items_of(result, label))
        sides = {"width": str(size.width), "height": str(size.height)}
        image = self._images.get(name)
        if image is None:
            image = Element("image", {"id": str(len(self._images)), "name": xml_text(name), **sides})
        check_size(name, Size(*(int(image.get(key, 0)) for key in sides)), size)
        if result is not None:
            self._check_kind(isinstance(result, Poses))
        self._images[name] = image
        for item in found:
            self._labels.setdefault(xml_text(item.label))
            _annotate(image, item)

    def to_xml(self) -> bytes:
        """Return the data set as CVAT's XML."""
        root = Element("annotations")
        SubElement(root, "version").text = _VERSION
        task = SubElement(SubElement(root, "meta"), "task")
        SubElement(task, "size").text = str(len(self._images))
        SubElement(task, "mode").text = "annotation"
        labels = SubElement(task, "labels")
        for name in self._labels:
            _describe(labels, name, "skeleton" if self._has_joints and name == PERSON else "any")
        if self._has_joints:
            for joint in MPII_JOINTS:
                SubElement(_describe(labels, joint, "points"), "parent").text = PERSON
        root.extend(self._images.values())
        return xml_bytes(root)

    def _check_kind(self, has_joints: bool) -> None:
        if self._has_joints not in (None, has_joints):
            raise InputError(
                "a CVAT file holds persons with joints or other objects; got both. Make a data set for each."
            )
        self._has_joints = has_joints
        if has_joints:
            self._labels.setdefault(PERSON)


def encode_cvat(result: Result, source: Source) -> bytes:
    """Return the objects of a result as a CVAT file about one image.

    Raises:
        InputError: A count without boxes, or the image's size is not known.
    """
    data = CvatDataset()
    data.add(source.name, size_of(result, source, "CVAT"), result, label=source.label)
    return data.to_xml()


def _annotate(image: Element, item: Item) -> None:
    label = {"label": xml_text(item.label)}
    if item.mask is not None:
        SubElement(image, "mask", label | _COMMON | _rle(item.mask))
        return
    if item.joints is not None:
        _skeleton(SubElement(image, "skeleton", label | {"source": "auto", "z_order": "0"}), item.joints)
        return
    for ring in item.outlines:
        SubElement(image, "polygon", label | _COMMON | {"points": ";".join(map(_place, ring))})
    if not item.outlines:
        corners = zip(("xtl", "ytl", "xbr", "ybr"), item.xyxy.tolist(), strict=True)
        SubElement(image, "box", label | _COMMON | {key: f"{number:.2f}" for key, number in corners})


def _skeleton(parent: Element, joints: F32) -> None:
    for name, joint in zip(MPII_JOINTS, joints, strict=True):
        outside, occluded = int(joint[2] == UNSEEN), int(joint[2] == HIDDEN)
        seen = {"outside": str(outside), "occluded": str(occluded)}
        SubElement(parent, "points", {"label": name, "source": "auto", **seen, "points": _place(joint[:2])})


def _describe(labels: Element, name: str, kind: str) -> Element:
    label = SubElement(labels, "label")
    SubElement(label, "name").text = name
    SubElement(label, "type").text = kind
    SubElement(label, "attributes")
    return label


def _place(xy: F32) -> str:
    x, y = xy.tolist()
    return f"{x:.2f},{y:.2f}"


def _rle(bits: Bits) -> dict[str, str]:
    box = extent(bits)
    assert box is not None  # an object has no empty mask
    left, top, right, bottom = box.astype(int).tolist()
    flat = bits[top:bottom, left:right].ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(starts, prepend=0, append=flat.size).tolist()
    counts = [0, *runs] if flat[0] else runs
    place = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"rle": ", ".join(map(str, counts)), **{key: str(number) for key, number in place.items()}}
