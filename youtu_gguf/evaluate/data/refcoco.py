"""RefCOCO, RefCOCO+ and RefCOCOg: phrases for objects of COCO's training images of 2014.

Source: github.com/lichengunc/refer, refer.py, for the files and their fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.coco import CocoFile, read_coco
from youtu_gguf.evaluate.data.files import data_folder, entry, inside, read_json
from youtu_gguf.evaluate.data.pickles import read_pickle
from youtu_gguf.evaluate.data.segmentation import rle_of
from youtu_gguf.evaluate.kinds.grounding import Region

_IMAGES = ("images/mscoco/images/train2014", "images/train2014", "train2014")


def read_refcoco(folder: Path, split: str, *, name: str, by: str, masks: bool = False) -> Data:
    """Return a sample for every phrase of a split, named REF_ID-SENT_ID, in the order of the file.

    Images are not looked for.

    Args:
        folder: Has `NAME/refs(BY).p`, or the same as JSON in `NAME/refs(BY).json`; `NAME/instances.json`; and images in
            one of the folders `_IMAGES`.
        split: As the field "split" has it.
        name: "refcoco", "refcoco+" or "refcocog".
        by: Whose split it is: "unc", "umd" or "google".
        masks: Also fill the outlines of the objects, so that a broken one is found before anything is asked.

    Raises:
        InputError: A file is missing or broken, or has no phrases of the split; pycocotools is needed and missing.
    """
    folder = data_folder(folder)
    path, refs = _read_refs(folder / name, by)
    instances = read_coco(folder / name / "instances.json")
    images = next((folder / each for each in _IMAGES if (folder / each).is_dir()), folder / _IMAGES[0])
    samples: list[Sample] = []
    splits = set()
    for number, ref in enumerate(refs):
        where = f"{path}, [{number}]"
        splits.add(entry(ref, "split", str, where))
        if ref["split"] == split:
            samples += _samples(ref, where, instances, images, masks)
    if not samples:
        raise InputError(
            f"{path}: expected phrases of the split {split}; it has {', '.join(sorted(splits)) or 'none'}."
        )
    return Data(samples, folder)


def _read_refs(folder: Path, by: str) -> tuple[Path, list[Any]]:
    """Return the file of the phrases, and what it holds."""
    pickled, converted = folder / f"refs({by}).p", folder / f"refs({by}).json"
    if not pickled.exists() and not converted.exists():
        raise InputError(f"expected {pickled}, or the same as JSON in {converted.name}; neither is there.")
    path = pickled if pickled.exists() else converted
    refs = read_pickle(path) if path is pickled else read_json(path)
    if not isinstance(refs, list):
        raise InputError(f"{path}: expected a list of objects with phrases; got {type(refs).__name__}.")
    return path, refs


def _samples(ref: Any, where: str, instances: CocoFile, images: Path, masks: bool) -> list[Sample]:
    """Return the phrases of one object."""
    ref_id = entry(ref, "ref_id", int, where)
    annotation = instances.annotations.get(entry(ref, "ann_id", int, where))
    if annotation is None:
        raise InputError(f"{where}: expected the object {ref['ann_id']} in instances.json; it is not there.")
    if annotation.image_id != entry(ref, "image_id", int, where):
        raise InputError(
            f"{where}: expected the object {annotation.id} to be in image {ref['image_id']}; "
            f"{annotation.where} has it in {annotation.image_id}."
        )
    image = instances.images[annotation.image_id]
    left, top, right, bottom = annotation.xyxy.tolist()
    mask = rle_of(annotation.segmentation, image.size, annotation.where) if masks else None
    region = Region((left, top, right, bottom), image.size, mask)
    path = inside(images, image.file_name, f"instances.json, image {image.id}")
    samples = []
    for number, sentence in enumerate(entry(ref, "sentences", list, where)):
        inner = f"{where}, sentences[{number}]"
        texts = {"sent": entry(sentence, "sent", str, inner)}
        if "raw" in sentence:
            texts["raw"] = entry(sentence, "raw", str, inner)
        samples.append(Sample(f"{ref_id}-{entry(sentence, 'sent_id', int, inner)}", path, texts, region, region.size))
    return samples
