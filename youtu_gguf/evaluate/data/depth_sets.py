"""NYUv2 and DDAD as they lie on disks: images beside 16-bit PNG files of distances."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.base import Data, Sample
from youtu_gguf.evaluate.data.depth_levels import DepthFile
from youtu_gguf.evaluate.data.files import data_folder, inside, read_text

NYUV2_PER_METRE, DDAD_PER_METRE = 1000.0, 256.0
"""Levels of a metre. Sources: cleinc/bts, `utils/extract_official_train_test_set_from_mat.py`, and
lpiccinelli-eth/UniDepth, `unidepth/datasets/ddad.py`, for DDAD."""

NYUV2_LIST = "nyudepthv2_test_files_with_gt.txt"
"""A list of test images by cleinc/bts: a line has an image, its distances, and the focal length."""

FRONT = "CAMERA_01"
"""DDAD's camera that looks ahead. Source: TRI-ML/DDAD, `README.md`."""

_NYUV2_PLACES = ("official_splits/test", "test", ".")
_IMAGES = (".jpg", ".jpeg", ".png")
_DEPTH_NAMES = ("sync_depth_", "depth_")
_LIST_FIELDS = 2  # an image and its distances; what follows differs


def read_nyuv2(folder: Path, split: str) -> Data:  # noqa: ARG001 - there is one
    """Read the 654 test images, or as many as there are.

    Raises:
        InputError: There are none, or one has no distances.
    """
    root = data_folder(folder)
    for place in _NYUV2_PLACES:
        listed = root / place / NYUV2_LIST
        if listed.is_file():
            return Data(_listed(root / place, listed, NYUV2_PER_METRE), root)
    for place in _NYUV2_PLACES:
        images = _images((root / place).glob("**/rgb_*"))
        if images:
            return Data(_each_once(_beside(root / place, image) for image in images), root)
    raise InputError(
        f"expected images called rgb_N.jpg or .png below {root} or its folder official_splits/test; there are none. "
        "Convert nyu_depth_v2_labeled.mat first: see `youtu-gguf eval list nyuv2`."
    )


def read_ddad(folder: Path, split: str) -> Data:
    """Read the images of the camera that looks ahead, for the split "val", or those of all cameras, for "val-all".

    Raises:
        InputError: There are none, or one has no distances.
    """
    root = data_folder(folder)
    cameras = FRONT if split == "val" else "CAMERA_*"
    listed = root / "val.txt"
    if listed.is_file():
        samples = _listed(root, listed, DDAD_PER_METRE)
        kept = [sample for sample in samples if split != "val" or FRONT in sample.image.parts]
        if not kept:
            raise InputError(f"{listed}: expected images of {FRONT}; there are none. Take the split val-all.")
        return Data(kept, root)
    images = _images(root.glob(f"*/rgb/{cameras}/*"))
    if not images:
        raise InputError(
            f"expected images as SCENE/rgb/{cameras}/NAME.png below {root}; there are none. "
            "See `youtu-gguf eval list ddad`."
        )
    return Data(_each_once(_in_depth_folder(root, image) for image in images), root)


def _images(paths: Iterable[Path]) -> list[Path]:
    return sorted((path for path in paths if path.suffix.lower() in _IMAGES), key=Path.as_posix)


def _beside(root: Path, image: Path) -> Sample:
    """Return the sample of an image called rgb_N, whose distances are called sync_depth_N or depth_N."""
    number = image.stem.removeprefix("rgb_")
    tried = [image.with_name(f"{name}{number}.png") for name in _DEPTH_NAMES]
    return _sample(root, image, tried, NYUV2_PER_METRE)


def _in_depth_folder(root: Path, image: Path) -> Sample:
    """Return the sample of SCENE/rgb/CAMERA/NAME.png, whose distances are SCENE/depth/CAMERA/NAME.png."""
    scene, _, camera, _ = image.relative_to(root).parts
    return _sample(root, image, [root / scene / "depth" / camera / f"{image.stem}.png"], DDAD_PER_METRE)


def _listed(root: Path, path: Path, per_metre: float) -> list[Sample]:
    """Return the samples of a list with an image and its distances in each line."""
    samples = []
    for n, line in enumerate(read_text(path).splitlines(), 1):
        where, words = f"{path}, line {n}", line.split()
        if not words:
            continue
        if len(words) < _LIST_FIELDS:
            raise InputError(f"{where}: expected an image and a file of distances; got {line.strip()[:60]!r}.")
        image, depth = (inside(root, word.removeprefix("/"), where) for word in words[:_LIST_FIELDS])
        if not image.is_file():
            raise InputError(f"{where}: expected the image {image}; there is no such file.")
        samples.append(_sample(root, image, [depth], per_metre, where))
    if not samples:
        raise InputError(f"{path}: expected a line for each image; it is empty.")
    return _each_once(samples)


def _sample(root: Path, image: Path, tried: Iterable[Path], per_metre: float, where: str = "") -> Sample:
    depth = next((path for path in tried if path.is_file()), None)
    if depth is None:
        names = " or ".join(str(path) for path in tried)
        raise InputError(f"{where or image}: expected the distances of the image in {names}; there is no such file.")
    return Sample(image.relative_to(root).with_suffix("").as_posix(), image, truth=DepthFile(depth, per_metre))


def _each_once(samples: Iterable[Sample]) -> list[Sample]:
    found: dict[str, Sample] = {}
    for sample in samples:
        if sample.id in found:
            raise InputError(f"expected one image called {sample.id}; got {found[sample.id].image} and {sample.image}.")
        found[sample.id] = sample
    return list(found.values())
