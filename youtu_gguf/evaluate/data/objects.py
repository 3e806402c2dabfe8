"""Objects of images in COCO's layout: their boxes, and their masks as the file has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.coco import CocoAnnotation, read_coco
from youtu_gguf.evaluate.data.files import data_folder, inside
from youtu_gguf.types import Size


@dataclass(frozen=True, eq=False)
class TrueObjects:
    """The objects of an image.

    Attributes:
        annotations: The objects, crowds among them.
        size: Of the image.
        categories: Name of every category in the data by its id.
    """

    annotations: tuple[CocoAnnotation, ...]
    size: Size
    categories: Mapping[int, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the category of each object."""
        return tuple(self.categories[each.category_id] for each in self.annotations)


def true_objects(sample: Sample) -> TrueObjects:
    """Return the truth of a sample that `read_objects` has read."""
    truth: TrueObjects = sample.truth
    return truth


def read_objects(folder: Path, split: str) -> Data:
    """Read a split of a data set in COCO's layout: annotations/instances_SPLIT.json, and images in the folder SPLIT.

    A sample is an image; its id is that of the image in the file. Images without objects are samples too. Every sample
    is asked for the same "classes".

    Raises:
        InputError: The file is missing or broken.
    """
    root = data_folder(folder)
    path = root / "annotations" / f"instances_{split}.json"
    file = read_coco(path)
    names = {number: category.name for number, category in sorted(file.categories.items())}
    classes = tuple(names.values())
    objects = file.by_image()
    samples = [
        Sample(
            str(number),
            inside(root / split, image.file_name, f"{path}, image {number}"),
            {"classes": classes},
            TrueObjects(tuple(objects[number]), image.size, names),
            image.size,
        )
        for number, image in sorted(file.images.items())
    ]
    return Data(samples, root, classes)
