"""Objects as COCO's results: a list of what was found, by the ids of a file of annotations that others wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.output.coco import annotation_of
from youtu_gguf.output.objects import items_of
from youtu_gguf.output.source import UNNAMED
from youtu_gguf.types import Result

_KEYS = ("bbox", "segmentation", "keypoints", "score")


class CocoResults:
    """What was found in images, as COCO's evaluation reads it beside the annotations.

    Source: cocodataset.org, "Results Format".

    Args:
        categories: Ids of the categories by their names, as the annotations have them.
    """

    def __init__(self, categories: Mapping[str, int]) -> None:
        self._categories = dict(categories)
        self._results: list[dict[str, Any]] = []

    def add(self, image_id: int, result: Result, *, label: str = UNNAMED) -> tuple[str, ...]:
        """Add what was found in an image, and return the names that are no category, whose objects are left out.

        Args:
            image_id: Id of the image in the annotations.
            result: One of `objects.WITH_OBJECTS`, with scores.
            label: The category of a mask, which has none.

        Raises:
            InputError: An object has no score, by which results are ranked; or it is a count without boxes.
        """
        found = tuple(items_of(result, label))
        if any(item.score is None for item in found):
            raise InputError("results are ranked by scores; got an object without one. Ask with scores.")
        for item in found:
            if item.label in self._categories:
                form = annotation_of(item)
                told = {key: form[key] for key in _KEYS if key in form and form[key] != []}
                self._results.append({"image_id": image_id, "category_id": self._categories[item.label], **told})
        return tuple(dict.fromkeys(item.label for item in found if item.label not in self._categories))

    def to_list(self) -> list[dict[str, Any]]:
        """Return the results in the order in which they were added."""
        return list(self._results)
