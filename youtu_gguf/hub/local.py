"""Model pairs on this machine, in the package, in a folder, or in the cache of Hugging Face tools: find and delete."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from youtu_gguf.arguments import checked_path, is_there
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.choice import choose_model, is_projector
from youtu_gguf.gguf.pair import find_model, gguf_files, is_gguf
from youtu_gguf.hub.spec import (
    NANO,
    NANO_MODEL,
    REMEDY,
    Spec,
    is_published,
    parse_spec,
)

MODELS = Path("models")
"""Folder for pulled plain files, in the working directory."""

SHA256_DIGITS = 64
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""Names of files in the cache: the sha1 of git, or for large files the sha256."""

MAIN = "main"
"""The branch that a spec without revision means."""
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")

PARTIAL = ".incomplete"
"""Suffix of unfinished files; the one that huggingface-hub uses."""

_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / "models" / NANO, _PACKAGE.parent / "models" / NANO)
"""Folders of the small model: in an installed package, and in a checkout."""


@dataclass(frozen=True)
class PulledPair:
    """Paths of the two files of a spec; `commit` is None if the hub was not asked."""

    model: Path
    projector: Path
    commit: str | None


def as_spec(wanted: str | PathLike[str] | None) -> Spec | None:
    """Return `wanted` as a spec, or None if it is a path, "nano" or None."""
    if not isinstance(wanted, str) or wanted == NANO or wanted.lower().endswith(".gguf"):
        return None
    try:
        return None if checked_path("model", wanted).exists() else parse_spec(wanted)
    except (InputError, OSError):
        return None


def locate(wanted: str | PathLike[str] | None, hub_cache: Path | None) -> Path:
    """Return the language model's file.

    Args:
        wanted: A path of the file or of a folder with the pair; as a string also "nano", or ORG/NAME[:QUANT][@REVISION]
            of a downloaded repository; None for the published model, if it has been downloaded.
        hub_cache: Folder where Hugging Face tools keep downloads; None where there is none.

    Raises:
        ModelFileError: There is no such file, or it cannot be accessed; says how to get it.
    """
    try:
        return _find(wanted, hub_cache)
    except (OSError, InputError) as exc:
        name = "the downloaded model" if wanted is None else wanted
        raise ModelFileError(
            f"expected to find {name}; looking for it failed: {exc} Name a path that you may read."
        ) from exc


def _find(wanted: str | PathLike[str] | None, hub_cache: Path | None) -> Path:
    if wanted is None:
        found = find_pulled(Spec(REPOSITORY), hub_cache)
        missing = "no model was named, and the published one has not been downloaded"
        return found or _not_there(Spec(REPOSITORY), hub_cache, missing)
    if wanted == NANO:
        return find_nano()
    path = checked_path("model", wanted)
    if path.is_dir():
        return find_model(path)
    if path.exists():
        return path
    spec = as_spec(wanted)
    if spec is None:
        link = f" is a link to {path.readlink()}, which" if path.is_symlink() else ""
        raise ModelFileError(
            f'expected a GGUF file, a folder that holds a pair, "{NANO}" or ORG/NAME:QUANT; {path}{link} does not '
            "exist. Check the path."
        )
    missing = f"{wanted} is not a path, and not among the downloads in {hub_cache or 'the cache'}"
    return find_pulled(spec, hub_cache) or _not_there(spec, hub_cache, missing)


def find_pulled(spec: Spec, hub_cache: Path | None, folder: Path = MODELS) -> Path | None:
    """Return the language model that `spec` means, from `folder` or the downloads, or None.

    Files in `folder` have no record of their origin: it is used for the published model only, without a revision.

    Raises:
        ModelFileError: A folder cannot be read, or several files fit equally well.
    """
    return find_in_folder(spec, folder) or find_in_cache(spec, hub_cache)


def find_in_folder(spec: Spec, folder: Path) -> Path | None:
    """Return the language model that `spec` means from a folder of plain files, by its published name."""
    if spec.repository != REPOSITORY or spec.revision is not None or not is_there(folder):
        return None
    return _chosen([path for path in models_with_projector(folder) if is_published(path.name)], spec.quant, folder)


def find_in_cache(spec: Spec, hub_cache: Path | None) -> Path | None:
    """Return the language model of a downloaded repository, or None if its pair is not there.

    Links that lead nowhere and empty files count as not downloaded. Layout: huggingface_hub's guide, "Understand
    caching".

    Raises:
        ModelFileError: The repository's folder cannot be read, or several files fit equally well.
    """
    if hub_cache is None:
        return None
    try:
        folders = snapshots(spec, hub_cache)
        found = (_chosen(models_with_projector(folder), spec.quant, folder) for folder in folders)
        return next((path for path in found if path is not None), None)
    except OSError as exc:
        raise ModelFileError(
            f"expected to read the downloads of {spec.repository} in {hub_cache}; got: {exc}. Ask its owner for "
            "permission, or set HF_HUB_CACHE to a folder of your own."
        ) from exc


def repository_folder(repository: str, hub_cache: Path) -> Path:
    """Return the folder in which Hugging Face tools keep a repository."""
    return hub_cache / f"models--{repository.replace('/', '--')}"


def snapshots(spec: Spec, hub_cache: Path) -> list[Path]:
    """Return the folders of the downloaded commits that `spec` may mean, newest first.

    A revision, "main" where the spec names none, is the commit that was recorded for it (`refs/`) when it was
    downloaded; else the beginning of a commit. Where none is recorded for "main", it may be any commit that is not
    recorded for another branch or tag.

    Raises:
        OSError: The folder cannot be read.
    """
    repository = repository_folder(spec.repository, hub_cache)
    folders = all_snapshots(repository)
    recorded = references(repository)
    revision = spec.revision or MAIN
    if revision in recorded:
        return [path for path in folders if path.name == recorded[revision]]
    if spec.revision is None:
        return [path for path in folders if path.name not in recorded.values()]
    is_commit = _SHORT_COMMIT.fullmatch(revision) is not None
    return [path for path in folders if path.name == revision or (is_commit and path.name.startswith(revision))]


def all_snapshots(repository: Path) -> list[Path]:
    """Return the folders of all downloaded commits of a repository, newest first.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        folders = [path for path in (repository / "snapshots").iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


def references(repository: Path) -> dict[str, str]:
    """Return the commit of each branch and tag at the time of its download.

    Raises:
        OSError: They cannot be read.
    """
    root = repository / "refs"
    if not root.exists() or not any(root.iterdir()):  # rglob passes over what may not be read
        return {}
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="ascii", errors="replace").strip() for path in files
    }


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


def models_with_projector(folder: Path) -> list[Path]:
    """List the language models in a folder, if it has a projector; empty files do not count."""
    files = [path for path in gguf_files(folder) if path.stat().st_size]
    return [path for path in files if not is_projector(path)] if any(map(is_projector, files)) else []


def lost_files(snapshot: Path) -> list[Path]:
    """List the files of a downloaded commit whose data are gone: links that lead nowhere, and empty files."""
    files = [path for path in sorted(snapshot.rglob("*")) if is_gguf(path)]
    return [path for path in files if not path.exists() or not path.stat().st_size]


def remove(spec: Spec, hub_cache: Path) -> int:
    """Delete the downloaded files of `spec` from the cache; return how many bytes that freed.

    The last language model of a repository takes the projector and everything else of the repository with it.

    Raises:
        ModelFileError: Nothing of it is there.
        InputError: It cannot be deleted.
    """
    repository = repository_folder(spec.repository, hub_cache)
    try:
        folders = all_snapshots(repository) if spec == Spec(spec.repository) else snapshots(spec, hub_cache)
        doomed = [path for folder in folders for path in _doomed(folder, spec.quant)]
        before = _disk_bytes(repository)
        if not doomed and (spec.quant or spec.revision or not before):
            raise ModelFileError(f"expected {spec} among the downloads in {hub_cache}; it is not there. See `list`.")
        for path in doomed:
            path.unlink()
        if not any(map(_named, all_snapshots(repository))):
            shutil.rmtree(repository)
            return before
        _drop_blobs_without_name(repository)
        return before - _disk_bytes(repository)
    except OSError as exc:
        raise InputError(f"expected to delete {spec} from {hub_cache}; got: {exc}. Check the permissions.") from exc


def _chosen(models: list[Path], quant: str | None, folder: Path) -> Path | None:
    choice = choose_model(models, quant)
    if quant is None:
        choice = choice.noted("language model", folder, "Name another as ORG/NAME:QUANT.")
    return choice.only("language model", folder, "Give the path of the file.")


def _not_there(spec: Spec, hub_cache: Path | None, missing: str) -> Path:
    """Raise the error for a model that is not there; say so where its data are gone, or other revisions are there."""
    repository = None if hub_cache is None else repository_folder(spec.repository, hub_cache)
    folders = [] if repository is None else all_snapshots(repository)
    names = {} if repository is None else {commit: name for name, commit in references(repository).items()}
    lost = [path for folder in folders for path in lost_files(folder)]
    others = [folder for folder in folders if choose_model(models_with_projector(folder), spec.quant).best]
    if lost:
        missing += f" ({lost[0]} is a link or an empty file: its data are gone)"
    elif others:
        there = (str(Spec(spec.repository, spec.quant, names.get(path.name, path.name))) for path in others)
        missing += f" ({', '.join(there)} is there)"
    raise ModelFileError(f"{missing}. {REMEDY}")


def _named(snapshot: Path) -> list[Path]:
    """List the language models of a downloaded commit by name, whether their data are there or not."""
    return [path for path in sorted(snapshot.rglob("*")) if is_gguf(path) and not is_projector(path)]


def _doomed(folder: Path, quant: str | None) -> list[Path]:
    return _named(folder) if quant is None else list(choose_model(_named(folder), quant).best)


def _drop_blobs_without_name(repository: Path) -> None:
    named = {path.resolve() for path in (repository / "snapshots").rglob("*") if path.is_symlink()}
    for blob in (repository / "blobs").iterdir():
        if blob.resolve() not in named and not blob.name.endswith(PARTIAL):
            blob.unlink()


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
