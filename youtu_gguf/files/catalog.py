"""Where model pairs are found when no path is given: by name, in the package or among what has been downloaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from youtu_gguf.config import MODEL_VARIABLE
from youtu_gguf.errors import ModelFileError
from youtu_gguf.files.pair import find_model, gguf_files, is_projector

REPOSITORY = "tencent/Youtu-VL-4B-Instruct-GGUF"
"""The published files (facts: files)."""

PREFERRED_QUANT = "Q8_0"
"""Taken where several encodings of one model are there and none is named."""

NANO = "nano"
NANO_MODEL = "Youtu-VL-nano-Q8_0.gguf"
"""The small model that ships, by its short name, and its file; the projector lies beside it."""

REMEDY = (
    f'Name a GGUF file, a folder with a pair, or "{NANO}", the small model that ships; or set {MODEL_VARIABLE} to one. '
    "Or download the published pair (6.1 GB; its licence excludes the European Union): `pip install huggingface_hub`, "
    f"then `hf download {REPOSITORY} Youtu-VL-4B-Instruct-Q8_0.gguf mmproj-Youtu-VL-4b-Instruct-BF16.gguf`."
)

_SPEC = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+?)(?::(?P<quant>[\w.-]+))?")
_PUBLISHED = re.compile(r"youtu-vl-4b-instruct\b", re.IGNORECASE)
_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / "models" / NANO, _PACKAGE.parent / "models" / NANO)
"""Where the small model lies: in an installed package, and in a checkout."""


def locate(wanted: str | PathLike[str] | None, hub_cache: Path) -> Path:
    """Return the language model's file.

    Args:
        wanted: A path of the file or of a folder with the pair; as text also "nano", or ORG/NAME or ORG/NAME:QUANT of a
            downloaded repository; None for the published model, if it has been downloaded.
        hub_cache: Folder where Hugging Face tools keep downloads.

    Raises:
        ModelFileError: There is no such file, or it cannot be looked for; says how to get it.
    """
    try:
        return _find(wanted, hub_cache)
    except OSError as exc:
        name = "the downloaded model" if wanted is None else wanted
        raise ModelFileError(f"expected to find {name}; looking for it gave: {exc}. Name a path you may read.") from exc


def _find(wanted: str | PathLike[str] | None, hub_cache: Path) -> Path:
    if wanted is None:
        return _require(find_pulled(hub_cache), "no model was named, and the published one has not been downloaded")
    if wanted == NANO:
        return find_nano()
    path = Path(wanted)
    if path.is_dir():
        return find_model(path)
    if path.exists():
        return path
    spec = _SPEC.fullmatch(wanted) if isinstance(wanted, str) else None
    if spec is None or path.suffix.lower() == ".gguf":
        raise ModelFileError(
            f'expected a GGUF file, a folder that holds a pair, "{NANO}" or ORG/NAME:QUANT; {path} does not exist. '
            "Check the path."
        )
    found = find_in_cache(hub_cache, spec["repository"], spec["quant"])
    return _require(found, f"{wanted} is no path, and not among the downloads in {hub_cache}")


def find_pulled(hub_cache: Path, folder: Path = Path("models")) -> Path | None:
    """Return the published language model in `folder` or among the downloads, or None."""
    beside = _models(folder) if folder.is_dir() else []
    return _choose([p for p in beside if _PUBLISHED.search(p.name)], None) or find_in_cache(hub_cache, REPOSITORY)


def find_in_cache(hub_cache: Path, repository: str, quant: str | None = None) -> Path | None:
    """Return the language model of a downloaded repository, or None where its pair is not there.

    Snapshots are tried newest first; a snapshot without a projector holds no pair. Layout: huggingface_hub's guide,
    "Understand caching".
    """
    snapshots = hub_cache / f"models--{repository.replace('/', '--')}" / "snapshots"
    if not snapshots.is_dir():
        return None
    folders = sorted((p for p in snapshots.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime, reverse=True)
    return next((found for folder in folders if (found := _choose(_models(folder), quant))), None)


def find_nano(folders: Sequence[Path] = SHIPPED) -> Path:
    """Return the language model of the small pair that ships, from the first of `folders` that has it.

    Raises:
        ModelFileError: The package was built without it.
    """
    for folder in folders:
        if (folder / NANO_MODEL).is_file():
            return folder / NANO_MODEL
    places = " or ".join(map(str, folders))
    raise ModelFileError(
        f"expected {NANO_MODEL} and its projector in {places}; they are not there. "
        "Install the package from a complete checkout or wheel."
    )


def _models(folder: Path) -> list[Path]:
    """List the language models in a folder that has a projector for them."""
    files = gguf_files(folder)
    return [p for p in files if not is_projector(p)] if any(map(is_projector, files)) else []


def _choose(models: list[Path], quant: str | None) -> Path | None:
    """Return the model encoded as `quant`; without it the preferred encoding, else the first."""
    tag = re.compile(rf"[-_.]{re.escape(quant or PREFERRED_QUANT)}$", re.IGNORECASE)
    tagged = [path for path in models if tag.search(path.stem)]
    return next(iter(tagged if quant else [*tagged, *models]), None)


def _require(found: Path | None, missing: str) -> Path:
    if found is None:
        raise ModelFileError(f"{missing}. {REMEDY}")
    return found
