"""The models on this machine: complete and unfinished ones, and whether they can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.choice import is_projector, note, quant_of
from youtu_gguf.gguf.pair import check_pair, model_files, projectors_of
from youtu_gguf.hub.local import (
    HASH,
    MAIN,
    MODELS,
    PARTIAL,
    SHA256_DIGITS,
    all_snapshots,
    find_nano,
    lost_files,
    models_with_projector,
    references,
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


def local_pairs(hub_cache: Path | None, folder: Path = MODELS) -> list[LocalPair]:
    """Return the model that ships, those in `folder`, and those of downloaded repositories.

    Only repositories with a Youtu-VL model are listed: other programs use the same cache. What may not be read is
    passed over with a note in the log; the published model's repository is listed with the problem.
    """
    try:
        found = [_described(NANO, find_nano())]
    except ModelFileError:
        found = []
    try:
        found += [_described(str(path), path) for path in (model_files(folder) if folder.is_dir() else ())]
    except ModelFileError as exc:
        note(f"{folder} is passed over: {exc}")
    for repository in _repositories(hub_cache):
        name = "/".join(repository.name.split("--", 2)[1:])
        try:
            pairs = [pair for snapshot in all_snapshots(repository) for pair in _in_snapshot(name, snapshot)]
        except (OSError, ModelFileError) as exc:
            note(f"{repository} is passed over: {exc}")
            pairs = [LocalPair(name, repository, None, 0, f"it cannot be read: {exc}")]
        found += [pair for pair in pairs if pair.problem is None or name == REPOSITORY]
    return found


def _repositories(hub_cache: Path | None) -> list[Path]:
    try:
        return [] if hub_cache is None else sorted(p for p in hub_cache.iterdir() if p.match("models--*--*"))
    except FileNotFoundError:
        return []
    except OSError as exc:
        note(f"the downloads are passed over: {exc}")
        return []


def _in_snapshot(name: str, snapshot: Path) -> Iterator[LocalPair]:
    usable = models_with_projector(snapshot)
    for path in usable:
        yield _described(_spec_of(name, snapshot, quant_of(path)), path)
    for path in lost_files(snapshot):
        if not is_projector(path) or not usable:
            quant = None if is_projector(path) else quant_of(path)
            gone = "incomplete: its data are gone from the cache. Pull it again."
            yield LocalPair(_spec_of(name, snapshot, quant), path, None, 0, gone)


def partial_downloads(hub_cache: Path | None, folder: Path = MODELS) -> list[Path]:
    """Return the files that we have fetched in part, in `folder` and in the cache."""
    cached = [] if hub_cache is None else hub_cache.glob(f"models--*/blobs/*{PARTIAL}")
    here = (path for pattern in (".*", "*/.*") for path in folder.glob(f"{pattern}.gguf{PARTIAL}"))
    return sorted([*(path for path in cached if HASH.fullmatch(path.stem)), *here])


def hash_in_name(path: Path) -> str | None:
    """Return the sha256 in the name of a pulled file in the cache, if `path` leads to one."""
    name = path.resolve().name
    return name if len(name) == SHA256_DIGITS and HASH.fullmatch(name) else None


def is_as_its_hash(path: Path) -> bool:
    """Read a pulled file completely, and return whether it still has the hash in its name."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == hash_in_name(path)


def _spec_of(repository: str, snapshot: Path, quant: str | None) -> str:
    names = [name for name, commit in references(snapshot.parents[1]).items() if commit == snapshot.name]
    revision = None if MAIN in names else next(iter(names), snapshot.name)
    return str(Spec(repository, quant, revision))


def _described(name: str, model: Path) -> LocalPair:
    projector, problem = None, None
    try:
        projector = projectors_of(model).only("projector", model.parent, "Name the file with mmproj=PATH.")
        check_pair(model, projector)
    except ModelFileError as exc:
        problem = str(exc)
    sizes = [path.stat().st_size for path in (model, projector) if path is not None and path.exists()]
    return LocalPair(name, model, projector, sum(sizes), problem)
