"""Objects as a data set for YOLO: a .zip file with `data.yaml` and a text file of labels for each image.

A line is an object: its class and, as shares of width and height, the middle and size of its box, or the outline of its
mask, or its box and joints. Names of classes stand in `data.yaml` alone. Source: docs.ultralytics.com, "Datasets".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt

from youtu_gguf.errors import InputError
from youtu_gguf.facts import MPII_JOINTS, N_JOINTS
from youtu_gguf.output.archive import zip_bytes
from youtu_gguf.output.objects import PERSON, Item, items_of, size_of
from youtu_gguf.output.outlines import filled_outlines, joined
from youtu_gguf.output.source import UNNAMED, Source
from youtu_gguf.types import Instances, LabelMap, Mask, Polygons, Poses, Result, Size

YoloKind = Literal["boxes", "outlines", "joints"]

_DIGITS = 6


class YoloDataset:
    """Labels of images as YOLO reads them. Classes count from 0.

    All labels of a data set are of one kind: boxes, outlines of masks, or boxes with joints.

    Args:
        categories: Names of the first classes, in this order; others follow as they appear.
    """

    def __init__(self, categories: Iterable[str] = ()) -> None:
        self._classes = {name: i for i, name in enumerate(dict.fromkeys(categories))}
        self._labels: dict[str, list[str]] = {}
        self._images: dict[str, str] = {}
        self._kind: YoloKind | None = None

    def add(self, name: str, size: Size, result: Result | None = None, *, label: str = UNNAMED) -> None:
        """Add an image, or a further result of one that is there.

        Args:
            name: File name of the image, which may begin with folders. Images of the same name are one.
            size: Its size, upright.
            result: One of `objects.WITH_OBJECTS`; None for an image with nothing in it.
            label: The class of a mask, which has none.

        Raises:
            InputError: A count without boxes; labels of another kind than before; or two images whose names differ by
                their ends only, for which YOLO has one file of labels.
        """
        found = [] if result is None else [*named_lines(result, size, label)]
        if result is not None:
            self._check_kind(kind_of(result))
        file = _labels_file(name)
        if self._images.setdefault(file, name) != name:
            raise InputError(f"{self._images[file]} and {name} share the labels {file}. Rename one of the images.")
        lines = self._labels.setdefault(file, [])
        for name_of_class, numbers in found:
            lines.append(f"{self._classes.setdefault(name_of_class, len(self._classes))} {numbers}")

    def to_zip(self) -> bytes:
        """Return the data set as a .zip file; its images belong into the folder `images` beside `labels`."""
        texts = {"data.yaml": data_yaml(self._classes, self._kind == "joints"), **self._texts()}
        return zip_bytes(texts.items())

    def _texts(self) -> dict[str, str]:
        return {file: "".join(f"{line}\n" for line in lines) for file, lines in self._labels.items()}

    def _check_kind(self, kind: YoloKind) -> None:
        if self._kind not in (None, kind):
            raise InputError(f"a data set for YOLO has labels of one kind; got {self._kind} and {kind}. Make two.")
        self._kind = kind
        if kind == "joints":
            self._classes.setdefault(PERSON, len(self._classes))


def encode_yolo(result: Result, source: Source) -> bytes:
    """Return the objects of a result as a data set of one image for YOLO, a .zip file.

    Raises:
        InputError: A count without boxes, or the image's size is not known.
    """
    data = YoloDataset()
    data.add(source.name, size_of(result, source, "YOLO"), result, label=source.label)
    return data.to_zip()


def data_yaml(classes: Mapping[str, int], has_joints: bool, images: str = "images") -> str:
    """Return the description of a data set.

    Args:
        classes: Numbers of the classes by name, in their order.
        has_joints: Whether the labels are persons with joints.
        images: The folder of the images, or the file that lists them, relative to this one.
    """
    names = [f"  {i}: {_quoted(name)}" for name, i in classes.items()]
    joints = [f"kpt_shape: [{N_JOINTS}, 3]", f"flip_idx: {_mirrored()}"] if has_joints else []
    listed = ["names:", *names] if names else ["names: {}"]
    return "\n".join(["path: .", f"train: {images}", f"val: {images}", *joints, *listed, ""])


def named_lines(result: Result, size: Size, label: str = UNNAMED) -> Iterator[tuple[str, str]]:
    """Yield the labels of a result: the name of the class, and the numbers behind it on the line.

    Args:
        result: One of `objects.WITH_OBJECTS`.
        size: Size of the image, upright.
        label: The class of a mask, which has none.

    Raises:
        InputError: A count without boxes.
    """
    for item in items_of(result, label):
        for shares in _shares(item, size, apart=isinstance(result, LabelMap)):
            yield item.label, " ".join(shares)


def kind_of(result: Result) -> YoloKind:
    """Return the kind of a result's labels."""
    if isinstance(result, Poses):
        return "joints"
    return "outlines" if isinstance(result, Instances | Mask | LabelMap | Polygons) else "boxes"


def _labels_file(name: str) -> str:
    """Return the path of an image's labels in the archive: below `labels`, whatever the name is."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in path.with_suffix(".txt").parts if part not in ("/", "..") and not part.endswith(":")]
    return "/".join(["labels", *parts])


def _shares(item: Item, size: Size, *, apart: bool) -> Iterator[list[str]]:
    """Yield the numbers of an object's line; of a line for each of its parts if they are `apart`."""
    scale = np.array([size.width, size.height], np.float64)
    if item.joints is not None:
        joints = np.column_stack([np.clip(item.joints[:, :2] / scale, 0, 1), item.joints[:, 2]])
        yield [*_box(item, scale), *(text for x, y, v in joints.tolist() for text in (*_texts([x, y]), str(int(v))))]
        return
    rings = filled_outlines(item.mask) if item.mask is not None else [*item.outlines]
    whole = rings if apart else [joined(rings[0], rings[1:])] if rings else []
    for ring in whole:
        yield _texts(np.clip(ring / scale, 0, 1).ravel().tolist())
    if not rings:
        yield _box(item, scale)


def _box(item: Item, scale: npt.NDArray[np.float64]) -> list[str]:
    corners = np.clip(item.xyxy.reshape(2, 2) / scale, 0, 1)
    return _texts([*corners.mean(axis=0).tolist(), *(corners[1] - corners[0]).tolist()])


def _texts(numbers: Iterable[float]) -> list[str]:
    return [f"{number:.{_DIGITS}f}" for number in numbers]


def _mirrored() -> list[int]:
    """Return for each joint the one that takes its place in a mirrored image."""
    swapped = {"left": "right", "right": "left"}
    names = (name.split("_", 1) for name in MPII_JOINTS)
    return [MPII_JOINTS.index("_".join([swapped.get(side, side), *rest])) for side, *rest in names]


def _quoted(name: str) -> str:
    """Return a name as YAML writes it in double quotes."""
    marked = name.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in marked) + '"'
