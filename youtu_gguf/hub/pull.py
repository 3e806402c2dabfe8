"""Model pairs on a Hugging Face hub: which files they are, and how they are downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.gguf.writer import check_room
from youtu_gguf.hub.destinations import Cache, Folder
from youtu_gguf.hub.download import LIBRARY, Notify, RemoteFile, Report, fetch
from youtu_gguf.hub.local import HASH, PulledPair, find_in_cache, find_in_folder, lost_files, snapshots
from youtu_gguf.hub.retry import connected, explained, with_retries
from youtu_gguf.hub.spec import LICENCE_NOTE, Spec, pick_remote
from youtu_gguf.types import ProgressFn, no_progress

LISTING_TIMEOUT_S = 30.0
STAGE = "pull"
"""Stage under which the progress of both files is reported."""


@dataclass(frozen=True)
class RemotePair:
    """The two files of a spec, and the commit at which they were listed."""

    commit: str
    model: RemoteFile
    projector: RemoteFile


def find_remote(spec: Spec) -> RemotePair:
    """Ask the hub which files a spec means, and for their sizes.

    Raises:
        ModelFileError: The hub cannot be reached or refuses, or there is no such pair.
    """
    connected()
    try:
        info = with_retries(
            lambda: HfApi(library_name=LIBRARY).model_info(
                spec.repository, revision=spec.revision, files_metadata=True, timeout=LISTING_TIMEOUT_S
            )
        )
        commit = info.sha
        if not isinstance(commit, str) or not HASH.fullmatch(commit):  # it names a folder
            raise ValueError(f"the commit {commit!r}")
        files = {}
        for entry in info.siblings or ():
            # git names small files by their sha1; large ones are pointers to a sha256
            size, etag = (entry.lfs.size, entry.lfs.sha256) if entry.lfs else (entry.size, entry.blob_id)
            # the size is used in sums, and the hash as the name of a file
            if isinstance(size, int) and size > 0 and etag and HASH.fullmatch(etag) and entry.rfilename.isprintable():
                url = hf_hub_url(spec.repository, entry.rfilename, revision=commit)
                files[entry.rfilename] = RemoteFile(entry.rfilename, size, etag, url)
    except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
        raise ModelFileError(explained(exc, str(spec))) from exc
    except OSError as exc:  # a file of huggingface-hub's own, such as the one with the token
        raise ModelFileError(f"{spec} could not be fetched: {exc}. Check the permissions, and HF_HOME.") from exc
    except UnicodeEncodeError as exc:
        raise ModelFileError(
            f"{spec} could not be fetched: HF_TOKEN must be ASCII, and it is not. Set another."
        ) from exc
    except HFValidationError as exc:
        raise ModelFileError(f"expected the name of a repository; got {spec.repository!r}: {exc}.") from exc
    except (ValueError, TypeError, AttributeError, KeyError, httpx2.InvalidURL) as exc:  # that was not a listing
        raise ModelFileError(
            f"expected {constants.ENDPOINT} to list {spec}; got something else ({type(exc).__name__}: {exc}). Where a "
            "network asks to log in first, do so in a browser; check HF_ENDPOINT if you set it."
        ) from exc
    model, projector = pick_remote(list(files), spec)
    if spec.quant is None:
        model.noted("language model", spec.repository, "Name another as ORG/NAME:QUANT.")
    return RemotePair(commit, files[str(model.best[0])], files[str(projector.best[0])])


def _keep_quiet(_text: str) -> None:
    pass


def pull(
    spec: Spec,
    cache: Path,
    folder: Path | None = None,
    progress: ProgressFn = no_progress,
    notify: Notify = _keep_quiet,
) -> PulledPair:
    """Download a pair, complete and verified, fetching only what is missing.

    Args:
        spec: What to fetch; without an encoding Q8_0 if the repository has it.
        cache: The cache of Hugging Face tools; the files go there in the layout of those tools.
        folder: Where to put them as plain files instead.
        progress: Called with (file name, bytes there, bytes in all) and with ("pull", the same of both).
        notify: Called with a message about the licence before the first byte, and before waiting for another process.

    Raises:
        ModelFileError: The hub cannot be reached or refuses, a file is not the published one, or the two do not fit.
        InputError: The folder cannot be read, or another file has the name of one.
        OutputError: Too little room on the disk, or the folder cannot be written to.
    """
    if constants.is_offline_mode():
        found = find_in_cache(spec, cache) if folder is None else find_in_folder(spec, folder)
        if found is not None:
            notify("HF_HUB_OFFLINE is set: the files pulled before are used without a check.")
            pair = check_pair(found)
            return PulledPair(pair.model.path, pair.projector.path, None)
        lost = [file for snapshot in snapshots(spec, cache) for file in lost_files(snapshot)] if folder is None else []
        if lost:
            raise ModelFileError(f"the data of {lost[0]} are gone, and HF_HUB_OFFLINE is set. Unset it.")
    remote = find_remote(spec)
    places = Cache(cache, spec, remote.commit) if folder is None else Folder(folder)
    files = (remote.projector, remote.model)  # the small one first: a wrong repository is noticed early
    try:
        missing = [file for file in files if not places.holds(file)]
        n_bytes = sum(file.n_bytes - _size(places.place(file).partial) for file in missing)
    except OSError as exc:
        raise InputError(
            f"expected to keep {spec} in {places.root}; got: {exc}. Choose another folder (HF_HUB_CACHE, or --dir)."
        ) from exc
    if missing:
        notify(LICENCE_NOTE.format(repository=spec.repository))
        check_room(places.root, n_bytes)
    done, total = 0, sum(file.n_bytes for file in files)
    progress(STAGE, 0, total)
    for file in files:
        report = _both(progress, file, done, total)
        if file in missing:
            fetch(file, places.place(file), report, notify)
        report(file.n_bytes, file.n_bytes)
        done += file.n_bytes
    projector, model = places.publish(*files)
    check_pair(model, projector)
    return PulledPair(model, projector, remote.commit)


def _both(progress: ProgressFn, file: RemoteFile, before: int, total: int) -> Report:
    def report(done: int, n_bytes: int) -> None:
        progress(file.name, done, n_bytes)
        progress(STAGE, before + done, total)

    return report


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
