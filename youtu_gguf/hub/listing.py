"""The models on this machine: complete and unfinished ones, and whether they can be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.pair import check_pair, find_projector, model_files, quant_of
from youtu_gguf.hub.local import (
    HASH,
    MODELS,
    PARTIAL,
    SHA256_DIGITS,
    commit_of,
    find_nano,
    models_with_projector,
    snapshots,
)
from youtu_gguf.hub.spec import NANO, Spec


@dataclass(frozen=True)
class LocalPair:
    """A language model on this machine, with its projector.

    Attributes:
        name: The name by which `load` finds it.
        projector: None if there is none beside the model.
        n_bytes: Bytes on disk of both files; a projector that several models share counts with each.
        problem: Why it cannot be used; None if it can.
    """

    name: str
    model: Path
    projector: Path | None
    n_bytes: int
    problem: str | None


def local_pairs(hub_cache: Path, folder: Path = MODELS) -> list[LocalPair]:
    """Return the model that ships, those in `folder`, and those of downloaded repositories.

    Only repositories with a Youtu-VL model are listed: other programs use the same cache.
    """
    try:
        found = [_described(NANO, find_nano())]
    except ModelFileError:
        found = []
    if folder.is_dir():
        found += [_described(str(path), path) for path in model_files(folder)]
    for repository in sorted(hub_cache.glob("models--*--*")):
        name = "/".join(repository.name.split("--", 2)[1:])
        for snapshot in snapshots(Spec(name), hub_cache):
            pairs = [_described(_spec_of(name, snapshot, path), path) for path in models_with_projector(snapshot)]
            found += [pair for pair in pairs if pair.problem is None or name == REPOSITORY]
    return found


def partial_downloads(hub_cache: Path, folder: Path = MODELS) -> list[Path]:
    """Return the files that we have fetched in part, in `folder` and in the cache."""
    cached = [path for path in hub_cache.glob(f"models--*/blobs/*{PARTIAL}") if HASH.fullmatch(path.stem)]
    return sorted([*cached, *folder.glob(f".*.gguf{PARTIAL}")])


def hash_in_name(path: Path) -> str | None:
    """Return the sha256 in the name of a pulled file in the cache, if `path` leads to one."""
    name = path.resolve().name
    return name if len(name) == SHA256_DIGITS and HASH.fullmatch(name) else None


def is_as_its_hash(path: Path) -> bool:
    """Read a pulled file completely, and return whether it still has the hash in its name."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == hash_in_name(path)


def _spec_of(repository: str, snapshot: Path, model: Path) -> str:
    references = [path for path in (snapshot.parents[1] / "refs").rglob("*") if path.is_file()]
    names = {path.name for path in references if commit_of(path) == snapshot.name}
    revision = None if "main" in names else next(iter(sorted(names)), snapshot.name)
    return str(Spec(repository, quant_of(model), revision))


def _described(name: str, model: Path) -> LocalPair:
    projector, problem = None, None
    try:
        projector = find_projector(model)
        check_pair(model, projector)
    except ModelFileError as exc:
        problem = str(exc)
    sizes = [path.stat().st_size for path in (model, projector) if path is not None and path.exists()]
    return LocalPair(name, model, projector, sum(sizes), problem)
