"""ImageNet's validation images with the labels of "Are we done with ImageNet?"."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.files import data_folder, read_json, read_text
from youtu_gguf.evaluate.kinds.categories import TrueClasses

_LABELS = "real.json"
_IMAGES = ("val", "ILSVRC/Data/CLS-LOC/val")


def read_imagenet_real(folder: Path, _split: str = "val") -> Data:
    """Return the validation images that have a label.

    Args:
        folder: Has `real.json`; the images in `val` or, as Kaggle packs them, in `ILSVRC/Data/CLS-LOC/val`, either
            directly or in one folder for each class; and a file with the names of the classes.

    Raises:
        InputError: A file is missing or broken.

    Source: github.com/google-research/reassessed-imagenet, README.md: list i of the file has the numbers of the classes
    in image i + 1; images without any do not count.
    """
    folder = data_folder(folder)
    classes = _read_classes(folder)
    path = folder / _LABELS
    lists = read_json(path)
    if not isinstance(lists, list):
        raise InputError(f"{path}: expected a list with the labels of every image; got {type(lists).__name__}.")
    files = _images(folder)
    samples = []
    for i, numbers in enumerate(lists):
        name = f"ILSVRC2012_val_{i + 1:08d}"
        labels = _labels(numbers, len(classes), f"{path}, [{i}]")
        if labels and name not in files:
            raise InputError(f"{path}, [{i}]: expected {name}.JPEG below {folder / _IMAGES[0]}; there is none.")
        if labels:
            samples.append(Sample(name, files[name], truth=TrueClasses(labels, classes[labels[0]].split(", ")[0])))
    if not samples:
        raise InputError(f"{path}: expected labels; all lists are empty.")
    return Data(samples, folder, classes)


def _labels(numbers: Any, n_classes: int, where: str) -> tuple[int, ...]:
    if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < n_classes for n in numbers):
        raise InputError(f"{where}: expected a list of classes from 0 to {n_classes - 1}; got {str(numbers)[:60]}.")
    return tuple(numbers)


def _images(folder: Path) -> dict[str, Path]:
    """Return the files of the images by their names without extension."""
    places = [folder / name for name in _IMAGES if (folder / name).is_dir()]
    if not places:
        raise InputError(f"expected images in {folder / _IMAGES[0]}; there is no such folder.")
    found = {}
    for top, folders, names in os.walk(places[0]):
        folders.sort()
        found.update({Path(name).stem: Path(top, name) for name in names})
    return found


def _read_classes(folder: Path) -> tuple[str, ...]:
    """Return the names of the classes in the order of their numbers, from the first of `_CLASS_FILES` that exists."""
    for name, read in _CLASS_FILES.items():
        path = folder / name
        if path.exists():
            classes = read(path)
            if not classes or not all(classes):
                raise InputError(f"{path}: expected a name for every class; class {_first_empty(classes)} has none.")
            return classes
    raise InputError(f"expected a file with the names of the classes in {folder}: one of {', '.join(_CLASS_FILES)}.")


def _first_empty(classes: tuple[str, ...]) -> int:
    return next((i for i, name in enumerate(classes) if not name), 0)


def _from_synsets(path: Path) -> tuple[str, ...]:
    """Read lines such as "n01440764 tench, Tinca tinca". Classes are numbered in the order of the synsets."""
    rows = [line.strip().partition(" ") for line in read_text(path).splitlines() if line.strip()]
    synsets = [synset for synset, _, _ in rows]
    if synsets != sorted(set(synsets)):
        raise InputError(
            f"{path}: expected each synset once, in ascending order, which is that of the classes' numbers."
        )
    return tuple(names.strip() for _, _, names in rows)


def _from_index(path: Path) -> tuple[str, ...]:
    """Read `{"0": ["n01440764", "tench"], ...}`, in which names have "_" for a space."""
    index = read_json(path)
    if not isinstance(index, dict):
        raise InputError(f'{path}: expected {{"0": [SYNSET, NAME], ...}}; got {type(index).__name__}.')
    names = []
    for number in map(str, range(len(index))):
        row = index.get(number)
        match row:
            case [str(), str(name)]:
                names.append(name.replace("_", " ").strip())
            case _:
                raise InputError(f"{path}, {number!r}: expected [SYNSET, NAME]; got {str(row)[:60]}.")
    return tuple(names)


def _from_lines(path: Path) -> tuple[str, ...]:
    """Read a class on each line."""
    return tuple(line.strip() for line in read_text(path).splitlines())


_CLASS_FILES: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "LOC_synset_mapping.txt": _from_synsets,
    "synset_words.txt": _from_synsets,
    "imagenet_class_index.json": _from_index,
    "classes.txt": _from_lines,
}
"""How the names of the classes are read, by the usual name of their file. Those with synonyms come first."""
