"""Model pairs on a Hugging Face hub: which files make one, and how they get to this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.files.catalog import LICENCE_NOTE, Spec, pick_remote
from youtu_gguf.files.fetch import LIBRARY, Notify, RemoteFile, Report, fetch, file_hash
from youtu_gguf.files.local import PARTIAL, find_in_cache, repository_folder
from youtu_gguf.files.pair import check_pair, find_projector
from youtu_gguf.files.patience import explained, patiently
from youtu_gguf.files.writing import check_room
from youtu_gguf.types import ProgressFn, no_progress

LISTING_TIMEOUT_S = 30.0
STAGE = "pull"
"""What progress over both files is reported as."""


@dataclass(frozen=True)
class RemotePair:
    """The two files that a spec means, and the commit they were listed at."""

    spec: Spec
    commit: str
    model: RemoteFile
    projector: RemoteFile


@dataclass(frozen=True)
class PulledPair:
    """Where the two files of a spec lie; `commit` is None where the hub was not asked."""

    model: Path
    projector: Path
    commit: str | None


def find_remote(spec: Spec) -> RemotePair:
    """Ask the hub which files a spec means, and how large they are.

    Raises:
        ModelFileError: The hub cannot be reached or refuses, or there is no such pair.
    """
    try:
        info = patiently(
            lambda: HfApi(library_name=LIBRARY).model_info(
                spec.repository, revision=spec.revision, files_metadata=True, timeout=LISTING_TIMEOUT_S
            )
        )
        commit = str(info.sha or "main")
        files = {}
        for entry in info.siblings or ():
            # git names small files by their sha1; large ones are pointers to a sha256
            size, etag = (entry.lfs.size, entry.lfs.sha256) if entry.lfs else (entry.size, entry.blob_id)
            if size and etag:
                url = hf_hub_url(spec.repository, entry.rfilename, revision=commit)
                files[entry.rfilename] = RemoteFile(entry.rfilename, size, etag, url)
    except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
        raise ModelFileError(explained(exc, str(spec))) from exc
    except HFValidationError as exc:
        raise ModelFileError(f"expected the name of a repository; got {spec.repository!r}: {exc}.") from exc
    except (ValueError, TypeError, AttributeError, KeyError, httpx2.InvalidURL) as exc:  # no listing came
        raise ModelFileError(
            f"expected {constants.ENDPOINT} to list {spec}; got something else ({type(exc).__name__}: {exc}). Where a "
            "network asks to log in first, do so in a browser; check HF_ENDPOINT if you set it."
        ) from exc
    model, projector = pick_remote(list(files), spec)
    return RemotePair(spec, commit, files[model], files[projector])


def pull(
    spec: Spec,
    cache: Path,
    folder: Path | None = None,
    progress: ProgressFn = no_progress,
    notify: Notify | None = None,
) -> PulledPair:
    """Bring a pair to this machine, whole and verified, fetching only what is not there.

    Args:
        spec: What to fetch; without an encoding Q8_0 where there is one.
        cache: Folder of Hugging Face tools' downloads; the files go there as if those tools had fetched them.
        folder: Where to put them as plain files instead.
        progress: Called with (file name, bytes there, bytes in all) and with ("pull", the same of both).
        notify: Told of the licence before the first byte, and of waiting for another process.

    Raises:
        ModelFileError: The hub cannot be reached or refuses, a file is not what was published, or the two are no pair.
        InputError: No room on the disk, or the folder cannot be written to.
    """
    tell = notify or _keep_quiet
    if constants.is_offline_mode() and folder is None and (found := find_in_cache(spec, cache)):
        tell("HF_HUB_OFFLINE is set: what was pulled before is taken as it is.")
        return PulledPair(found, find_projector(found), None)
    remote = find_remote(spec)
    places: _Places = _Cache(cache, spec) if folder is None else _Folder(folder)
    files = (remote.projector, remote.model)  # the small one first: a wrong repository shows soon
    missing = [file for file in files if not places.holds(file)]
    if missing:
        tell(LICENCE_NOTE.format(repository=spec.repository))
        check_room(places.root, sum(file.n_bytes - _size(places.partial(file)) for file in missing))
    done, total = 0, sum(file.n_bytes for file in files)
    for file in files:
        fetch(
            file, places.destination(file), places.partial(file), places.lock(file), _both(progress, file, done, total),
            tell,
        )  # fmt: skip
        done += file.n_bytes
    projector, model = (places.publish(file) for file in files)
    check_pair(model, projector)
    return PulledPair(model, projector, remote.commit)


def _keep_quiet(_text: str) -> None:
    pass


def _both(progress: ProgressFn, file: RemoteFile, before: int, total: int) -> Report:
    def report(done: int, n_bytes: int) -> None:
        progress(file.name, done, n_bytes)
        progress(STAGE, before + done, total)

    return report


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class _Places(Protocol):
    """Where files go."""

    root: Path

    def holds(self, file: RemoteFile) -> bool:
        """Whether the file is there, whole and verified."""

    def destination(self, file: RemoteFile) -> Path:
        """Where it is to lie once it is whole."""

    def partial(self, file: RemoteFile) -> Path:
        """Where it lies while it is fetched."""

    def lock(self, file: RemoteFile) -> Path:
        """The lock held meanwhile."""

    def publish(self, file: RemoteFile) -> Path:
        """Make the whole file known by its name, and return that."""


class _Cache:
    """The cache of Hugging Face tools: files named by their hash, which verified files only are, and links to them.

    Layout and locks: huggingface_hub's guide, "Understand caching".
    """

    def __init__(self, root: Path, spec: Spec) -> None:
        self.root, self._spec = root, spec
        self._repository = repository_folder(spec.repository, root)

    def holds(self, file: RemoteFile) -> bool:
        return self.destination(file).exists()

    def destination(self, file: RemoteFile) -> Path:
        return self._repository / "blobs" / file.etag

    def partial(self, file: RemoteFile) -> Path:
        return self._repository / "blobs" / f"{file.etag}{PARTIAL}"

    def lock(self, file: RemoteFile) -> Path:
        return self.root / ".locks" / self._repository.name / f"{file.etag}.lock"

    def publish(self, file: RemoteFile) -> Path:
        def link(*, dry_run: bool) -> object:
            return hf_hub_download(
                self._spec.repository,
                file.name,
                revision=self._spec.revision,
                cache_dir=self.root,
                dry_run=dry_run,
                library_name=LIBRARY,
            )

        try:
            if patiently(lambda: link(dry_run=True)).will_download:  # type: ignore[attr-defined]
                raise ModelFileError(
                    f"{file.name} has changed on the hub while it was fetched, or {constants.ENDPOINT} gives it "
                    "another hash than it lists. Pull again, and if it stays so, from another HF_ENDPOINT."
                )
            return Path(str(patiently(lambda: link(dry_run=False))))
        except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
            raise ModelFileError(f"{explained(exc, file.name)} What has arrived is kept.") from exc
        except OSError as exc:
            raise InputError(f"expected to name {file.name} in {self.root}; got: {exc}. Pull again.") from exc


class _Folder:
    """Plain files in a folder of the user's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def holds(self, file: RemoteFile) -> bool:
        path = self.destination(file)
        if not path.exists():
            return False
        if path.is_dir() or path.stat().st_size != file.n_bytes or file_hash(path, file) != file.etag:
            raise InputError(
                f"expected {path} to be free, or the published file; there is something else. Move it away, or name "
                "another folder."
            )
        return True

    def destination(self, file: RemoteFile) -> Path:
        return self.root / file.name

    def partial(self, file: RemoteFile) -> Path:
        return self.root / f".{file.name}{PARTIAL}"

    def lock(self, file: RemoteFile) -> Path:
        return self.root / f".{file.name}.lock"

    def publish(self, file: RemoteFile) -> Path:
        self.lock(file).unlink(missing_ok=True)  # whoever waits for it will find the file whole
        return self.destination(file)
