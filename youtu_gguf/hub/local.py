"""Model pairs on this machine, in the package, in a folder, or in the cache of Hugging Face tools: find and delete."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.pair import find_model, gguf_files, is_projector, model_files
from youtu_gguf.hub.spec import (
    NANO,
    NANO_MODEL,
    REMEDY,
    Spec,
    is_published,
    parse_spec,
    pick,
)

MODELS = Path("models")
"""Folder for pulled plain files, in the working directory."""

SHA256_DIGITS = 64
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Names of files in the cache: the sha1 of git, or for large files the sha256."""

PARTIAL = ".incomplete"
"""Suffix of unfinished files; the one that huggingface-hub uses."""

_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / "models" / NANO, _PACKAGE.parent / "models" / NANO)
"""Folders of the small model: in an installed package, and in a checkout."""


def as_spec(wanted: str | PathLike[str] | None) -> Spec | None:
    """Return `wanted` as a spec, or None if it is a path, "nano" or None."""
    if not isinstance(wanted, str) or wanted == NANO or wanted.lower().endswith(".gguf"):
        return None
    try:
        return None if Path(wanted).exists() else parse_spec(wanted)
    except (InputError, OSError, ValueError):  # ValueError: a NUL in the name
        return None


def locate(wanted: str | PathLike[str] | None, hub_cache: Path) -> Path:
    """Return the language model's file.

    Args:
        wanted: A path of the file or of a folder with the pair; as a string also "nano", or ORG/NAME[:QUANT][@REVISION]
            of a downloaded repository; None for the published model, if it has been downloaded.
        hub_cache: Folder where Hugging Face tools keep downloads.

    Raises:
        ModelFileError: There is no such file, or it cannot be accessed; says how to get it.
    """
    try:
        return _find(wanted, hub_cache)
    except (OSError, TypeError, ValueError) as exc:
        name = "the downloaded model" if wanted is None else wanted
        raise ModelFileError(
            f"expected to find {name}; looking for it failed: {exc}. Name a path you may read."
        ) from exc


def _find(wanted: str | PathLike[str] | None, hub_cache: Path) -> Path:
    if wanted is None:
        found = find_pulled(Spec(REPOSITORY), hub_cache)
        return _require(found, "no model was named, and the published one has not been downloaded")
    if wanted == NANO:
        return find_nano()
    path = Path(wanted)
    if path.is_dir():
        return find_model(path)
    if path.exists():
        return path
    spec = as_spec(wanted)
    if spec is None:
        raise ModelFileError(
            f'expected a GGUF file, a folder that holds a pair, "{NANO}" or ORG/NAME:QUANT; {path} does not exist. '
            "Check the path."
        )
    return _require(find_pulled(spec, hub_cache), f"{wanted} is not a path, and not among the downloads in {hub_cache}")


def find_pulled(spec: Spec, hub_cache: Path, folder: Path = MODELS) -> Path | None:
    """Return the language model that `spec` means, from `folder` or the downloads, or None.

    Files in `folder` have no record of their origin: it is used for the published model only, without a revision.
    """
    return find_in_folder(spec, folder) or find_in_cache(spec, hub_cache)


def find_in_folder(spec: Spec, folder: Path) -> Path | None:
    """Return the language model that `spec` means from a folder of plain files, by its published name."""
    if spec.repository != REPOSITORY or spec.revision is not None or not folder.is_dir():
        return None
    return pick_file([path for path in models_with_projector(folder) if is_published(path.name)], spec.quant)


def find_in_cache(spec: Spec, hub_cache: Path) -> Path | None:
    """Return the language model of a downloaded repository, or None if its pair is not there.

    Snapshots are tried newest first, and only those with a projector. Layout: huggingface_hub's guide,
    "Understand caching".
    """
    folders = snapshots(spec, hub_cache)
    return next((found for folder in folders if (found := pick_file(models_with_projector(folder), spec.quant))), None)


def repository_folder(repository: str, hub_cache: Path) -> Path:
    """Return the folder in which Hugging Face tools keep a repository."""
    return hub_cache / f"models--{repository.replace('/', '--')}"


def snapshots(spec: Spec, hub_cache: Path) -> list[Path]:
    """Return the folders of a repository's downloaded commits, newest first; only of the revision if one is named."""
    repository = repository_folder(spec.repository, hub_cache)
    if not (repository / "snapshots").is_dir():
        return []
    folders = [path for path in (repository / "snapshots").iterdir() if path.is_dir()]
    if spec.revision is not None:
        reference = repository / "refs" / spec.revision
        commit = commit_of(reference) if reference.is_file() else spec.revision
        folders = [path for path in folders if path.name == commit]
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


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
        f"expected {NANO_MODEL} and its projector in {places}; they are missing. "
        "Install the package from a complete checkout or wheel."
    )


def commit_of(reference: Path) -> str:
    """Return the commit of a branch or tag at the time of its download."""
    return reference.read_text(encoding="ascii", errors="replace").strip()


def models_with_projector(folder: Path) -> list[Path]:
    """List the language models in a folder, if it has a projector."""
    return model_files(folder) if any(map(is_projector, gguf_files(folder))) else []


def pick_file(models: list[Path], quant: str | None) -> Path | None:
    """Return the language model encoded as `quant`, or without one the preferred encoding, else the first."""
    name = pick([path.name for path in models], quant)
    return next((path for path in models if path.name == name), None)


def remove(spec: Spec, hub_cache: Path) -> int:
    """Delete the downloaded files of `spec` from the cache; return how many bytes that freed.

    The last language model of a repository takes the projector and everything else of the repository with it.

    Raises:
        ModelFileError: Nothing of it is there.
        InputError: It cannot be deleted.
    """
    repository = repository_folder(spec.repository, hub_cache)
    try:
        doomed = [path for folder in snapshots(spec, hub_cache) for path in _chosen(folder, spec.quant)]
        before = _disk_bytes(repository)
        if not doomed and (spec.quant or spec.revision or not before):
            raise ModelFileError(f"expected {spec} among the downloads in {hub_cache}; it is not there. See `list`.")
        for path in doomed:
            path.unlink()
        if not any(map(model_files, snapshots(Spec(spec.repository), hub_cache))):
            shutil.rmtree(repository)
            return before
        _drop_blobs_without_name(repository)
        return before - _disk_bytes(repository)
    except OSError as exc:
        raise InputError(f"expected to delete {spec} from {hub_cache}; got: {exc}. Check the permissions.") from exc


def _require(found: Path | None, missing: str) -> Path:
    if found is None:
        raise ModelFileError(f"{missing}. {REMEDY}")
    return found


def _chosen(folder: Path, quant: str | None) -> list[Path]:
    if quant is None:
        return model_files(folder)
    found = pick_file(model_files(folder), quant)
    return [] if found is None else [found]


def _drop_blobs_without_name(repository: Path) -> None:
    named = {path.resolve() for path in (repository / "snapshots").rglob("*") if path.is_symlink()}
    for blob in (repository / "blobs").iterdir():
        if blob.resolve() not in named and not blob.name.endswith(PARTIAL):
            blob.unlink()


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
