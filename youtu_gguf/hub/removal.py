"""Deleting what was pulled into the cache of Hugging Face tools."""

from __future__ import annotations

import shutil
from pathlib import Path

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.gguf.pair import model_files
from youtu_gguf.hub.local import PARTIAL, pick_file, repository_folder, snapshots
from youtu_gguf.hub.spec import Spec


def remove(spec: Spec, hub_cache: Path) -> int:
    """Delete the downloaded files that `spec` means from the cache; return how many bytes that freed.

    A projector goes with the last language model of its repository, and so does everything else of it.

    Raises:
        ModelFileError: There is nothing of it.
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
