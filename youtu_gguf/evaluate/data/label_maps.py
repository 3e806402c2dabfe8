"""Data sets with a class for every pixel: where their images and label maps lie, and what the levels stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.class_lists import ADE20K, CITYSCAPES, COCO_STUFF, CONTEXT59, VOC20
from youtu_gguf.evaluate.data.files import data_folder, inside, read_text
from youtu_gguf.evaluate.data.numbering import NONE, Numbering, TrueLabels

ADE20K_NUMBERS = Numbering(tuple(range(1, 151)), frozenset({0}))
"""0 is "other objects". Source: github.com/CSAILVision/sceneparsing, README."""

VOC20_NUMBERS = Numbering(tuple(range(1, 21)), frozenset({0, NONE}))
"""0 is background, 255 the border of objects. Source: PASCAL VOC 2012's development kit, section 2.3."""

CONTEXT59_NUMBERS = Numbering(tuple(range(1, 60)), frozenset({0, NONE}))
"""0 is what belongs to none of the 59. Source: MMSegmentation, tools/dataset_converters/pascal_context.py."""

CITYSCAPES_NUMBERS = Numbering(
    (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
    frozenset({0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, NONE}),
)
"""Levels of `*_labelIds.png`. Source: cityscapesScripts, helpers/labels.py."""

CITYSCAPES_TRAIN_NUMBERS = Numbering(tuple(range(19)), frozenset({NONE}))
"""Levels of `*_labelTrainIds.png`. Source: cityscapesScripts, helpers/labels.py."""

_WITHOUT_MASKS = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)
COCO_STUFF_NUMBERS = Numbering(
    tuple(level for level in range(182) if level not in _WITHOUT_MASKS), frozenset({*_WITHOUT_MASKS, NONE})
)
"""Levels of the stuffthingmaps: an id less 1. Eleven things of COCO have no mask anywhere. Source: README of
github.com/nightrome/cocostuff."""

COCO_STUFF_TRAIN_NUMBERS = Numbering(tuple(range(171)), frozenset({NONE}))
"""Levels of `*_labelTrainIds.png`. Source: MMSegmentation, tools/dataset_converters/coco_stuff164k.py."""

_TRAIN_IDS = "_labelTrainIds"


def read_ade20k(folder: Path, split: str) -> Data:
    """Return the samples of ADE20K as in the scene parsing challenge, with 150 classes.

    Names of classes are the first of each line of `objectInfo150.txt` where that is there.

    Raises:
        InputError: Something is missing or broken.
    """
    root = _root(folder, "annotations", "ADEChallengeData2016")
    info = root / "objectInfo150.txt"
    names = _object_names(info) if info.is_file() else ADE20K
    maps = _files(root / "annotations" / split, ".png")
    pairs = {file.stem: (root / "images" / split / f"{file.stem}.jpg", file) for file in maps}
    return _data(folder, names, pairs, ADE20K_NUMBERS)


def read_cityscapes(folder: Path, split: str) -> Data:
    """Return the samples of Cityscapes, with the 19 classes that are evaluated.

    Maps are `*_gtFine_labelIds.png`, or `*_gtFine_labelTrainIds.png` where there are none of these.

    Raises:
        InputError: Something is missing or broken.
    """
    root = _root(folder, "gtFine", "cityscapes")
    images, maps = root / "leftImg8bit" / split, root / "gtFine" / split
    for kind, numbers in (("labelIds", CITYSCAPES_NUMBERS), ("labelTrainIds", CITYSCAPES_TRAIN_NUMBERS)):
        ending = f"_gtFine_{kind}.png"
        found = [file for city in _folders(maps) for file in _files(city, ending, needed=False)]
        stems = {file.name.removesuffix(ending): file for file in found}
        if stems:
            pairs = {
                stem: (images / file.parent.name / f"{stem}_leftImg8bit.png", file) for stem, file in stems.items()
            }
            return _data(folder, CITYSCAPES, pairs, numbers)
    raise InputError(f"expected CITY/*_gtFine_labelIds.png in {maps}; there are none.")


def read_voc20(folder: Path, split: str) -> Data:
    """Return the samples of PASCAL VOC 2012, with 20 classes and without background.

    Raises:
        InputError: Something is missing or broken.
    """
    root = _root(folder, "SegmentationClass", "VOC2012", "VOCdevkit/VOC2012")
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    return _data(folder, VOC20, _listed(root, listed, "SegmentationClass"), VOC20_NUMBERS)


def read_context59(folder: Path, split: str) -> Data:
    """Return the samples of PASCAL Context as MMSegmentation converts it, with 59 classes and without background.

    Raises:
        InputError: Something is missing or broken.
    """
    root = _root(folder, "SegmentationClassContext", "VOC2010", "VOCdevkit/VOC2010")
    listed = root / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    return _data(folder, CONTEXT59, _listed(root, listed, "SegmentationClassContext"), CONTEXT59_NUMBERS)


def read_coco_stuff(folder: Path, split: str) -> Data:
    """Return the samples of COCO-Stuff 164k, with 171 classes.

    Maps are the stuffthingmaps, or the `*_labelTrainIds.png` that MMSegmentation makes of them where there are none.

    Raises:
        InputError: Something is missing or broken.
    """
    folder = data_folder(folder)
    maps = _first(folder, f"annotations/{split}", f"stuffthingmaps/{split}", f"stuffthingmaps_trainval2017/{split}")
    images = _first(folder, f"images/{split}", split)
    files = _files(maps, ".png")
    plain = [file for file in files if not file.stem.endswith(_TRAIN_IDS)]
    numbers = COCO_STUFF_NUMBERS if plain else COCO_STUFF_TRAIN_NUMBERS
    stems = {file.stem.removesuffix(_TRAIN_IDS): file for file in plain or files}
    pairs = {stem: (images / f"{stem}.jpg", file) for stem, file in stems.items()}
    return _data(folder, COCO_STUFF, pairs, numbers)


def _data(folder: Path, names: Sequence[str], pairs: Mapping[str, tuple[Path, Path]], numbers: Numbering) -> Data:
    """Return samples of images and their maps by id.

    Raises:
        InputError: An image or a map is missing.
    """
    asked = {"classes": tuple(names)}
    samples = []
    for name in sorted(pairs):
        image, file = pairs[name]
        for needed, of in ((image, file), (file, image)):
            if not needed.is_file():
                raise InputError(f"expected {needed}, which belongs to {of.name}; there is none.")
        samples.append(Sample(name, image, asked, TrueLabels(file, numbers)))
    return Data(samples, data_folder(folder), tuple(names))


def _listed(root: Path, listed: Path, maps: str) -> dict[str, tuple[Path, Path]]:
    """Return the image and the map of each name in a list of a VOC folder."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for number, line in enumerate(read_text(listed).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        where = f"{listed}, line {number}"
        if name in pairs:
            raise InputError(f"{where}: expected every image once; got {name!r} again.")
        pairs[name] = (
            inside(root / "JPEGImages", f"{name}.jpg", where),
            inside(root / maps, f"{name}.png", where),
        )
    if not pairs:
        raise InputError(f"{listed}: expected the names of images; it has none.")
    return pairs


def _object_names(info: Path) -> tuple[str, ...]:
    """Return the first name of each class of a table `Idx Ratio Train Val Name`."""
    names: dict[str, str] = {}
    for number, line in enumerate(read_text(info).splitlines()[1:], 2):
        fields = line.split(None, 4)
        if not fields:
            continue
        name = fields[4].split(",")[0].strip() if len(fields) == len(("Idx", "Ratio", "Train", "Val", "Name")) else ""
        if fields[0] != str(len(names) + 1) or not name or name in names.values():
            raise InputError(
                f"{info}, line {number}: expected class {len(names) + 1} with a name of its own; got {line!r}."
            )
        names[fields[0]] = name
    if len(names) != len(ADE20K):
        raise InputError(f"{info}: expected {len(ADE20K)} classes; got {len(names)}.")
    return tuple(names.values())


def _root(folder: Path, part: str, *below: str) -> Path:
    """Return the folder that has `part`: the one given, or one below it."""
    folder = data_folder(folder)
    found = next((place for place in (folder, *(folder / name for name in below)) if (place / part).is_dir()), None)
    if found is None:
        raise InputError(f"expected the folder {part} in {folder}, or in its {' or '.join(below)}; there is none.")
    return found


def _first(folder: Path, *names: str) -> Path:
    found = next((folder / name for name in names if (folder / name).is_dir()), None)
    if found is None:
        raise InputError(f"expected {' or '.join(names)} in {folder}; there is none.")
    return found


def _folders(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise InputError(f"expected the folder {folder}; there is none.")
    return sorted(place for place in folder.iterdir() if place.is_dir())


def _files(folder: Path, ending: str, *, needed: bool = True) -> list[Path]:
    """Return the files of a folder with an ending, by name; hidden ones are left out."""
    if not folder.is_dir():
        raise InputError(f"expected the folder {folder}; there is none.")
    files = sorted(file for file in folder.iterdir() if file.name.endswith(ending) and not file.name.startswith("."))
    if needed and not files:
        raise InputError(f"expected files *{ending} in {folder}; there are none.")
    return files
