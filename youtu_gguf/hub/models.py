"""Model files by name: fetch, find, list and delete them."""

from __future__ import annotations

import logging
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from youtu_gguf.arguments import checked_path
from youtu_gguf.environment import default_model, hub_cache, no_home
from youtu_gguf.errors import ModelFileError
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from youtu_gguf.hub.listing import LocalPair
    from youtu_gguf.hub.local import PulledPair
    from youtu_gguf.hub.spec import Spec

LOG = logging.getLogger("youtu_gguf")


def pull(
    spec: str | None = None,
    folder: str | PathLike[str] | None = None,
    progress: ProgressFn | None = None,
    notify: Callable[[str], None] | None = None,
) -> PulledPair:
    """Download a model pair, complete and verified, fetching only what is missing.

    Uses huggingface-hub, its variables (HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE) and its cache.
    The next call, in this process or another, resumes a download that broke off.

    Args:
        spec: `ORG/NAME[:QUANT][@REVISION]`; the published model in Q8_0 (6.1 GB) when None.
        folder: Where to put the two as plain files, instead of the cache.
        progress: Called with (file name, bytes there, bytes in all) and with ("pull", the same of both files).
        notify: Called with a message about the licence before anything is fetched, and before waiting for another
            process; logs a warning by default.

    Raises:
        InputError: An invalid spec, a folder that cannot be written to, or too little room on the disk.
        ModelFileError: The hub cannot be reached or refuses, a file is not the published one, or the two do not fit.
    """
    require_library()
    from youtu_gguf.hub import pull as hub
    from youtu_gguf.hub.spec import DEFAULT_SPEC, parse_spec

    wanted = DEFAULT_SPEC if spec is None else parse_spec(spec)
    place = None if folder is None else checked_path("folder", folder)
    cache = hub_cache()
    if cache is None and place is None:
        raise no_home("downloads", "HF_HOME")
    return hub.pull(wanted, cache or Path(), place, progress or no_progress, notify or LOG.warning)


def find(wanted: str | PathLike[str] | None = None, mmproj: str | PathLike[str] | None = None) -> tuple[Path, Path]:
    """Return the language model and projector that `load` would take for the same, without fetching anything.

    Raises:
        ModelFileError: They are not on this machine; says how to get them.
    """
    from youtu_gguf.gguf.pair import find_projector

    model = _locate(wanted)
    return model, checked_path("mmproj", mmproj) if mmproj else find_projector(model)


def fetch_missing(wanted: str | PathLike[str] | None, progress: ProgressFn) -> Path:
    """Return the language model's file for `wanted`; a spec that is not on this machine is pulled first.

    Raises:
        ModelFileError: It is not there and cannot be pulled, for example because of HF_HUB_OFFLINE.
    """
    from youtu_gguf.hub.local import as_spec, find_pulled

    spec = as_spec(wanted or default_model())
    if spec is not None and find_pulled(spec, hub_cache()) is None:
        require_library()
        from huggingface_hub import constants

        if not constants.is_offline_mode():
            return pull(str(spec), progress=_of_both(progress)).model
    return _locate(wanted)


def pinned(spec: Spec, model: Path) -> Spec | None:
    """Return the spec that means exactly the file `model`, on this machine and elsewhere.

    Args:
        spec: The spec that it was found or pulled for.
        model: The language model's file, as `fetch_missing` returns it.

    Returns:
        With the encoding in the file's name and the commit that it was pulled at; None for a plain file in `models/`,
        whose commit is not known.
    """
    from youtu_gguf.gguf.choice import quant_of
    from youtu_gguf.hub.local import snapshots

    cache = hub_cache()
    for folder in () if cache is None else snapshots(spec, cache):
        if model.is_relative_to(folder):
            return replace(spec, quant=quant_of(model) or spec.quant, revision=folder.name)
    return None


def require_library() -> None:
    """Import huggingface-hub, which reads its variables when it is imported.

    Raises:
        ModelFileError: One of them cannot be used.
    """
    try:
        import huggingface_hub.constants  # noqa: F401
    except ValueError as exc:
        raise ModelFileError(
            f"expected variables that Hugging Face tools can use; got: {exc}. Correct HF_ENDPOINT, or the one that "
            "begins with HF_HUB_, or unset it."
        ) from exc


def _of_both(progress: ProgressFn) -> ProgressFn:
    """Return a function that reports the progress of both files together, not of each."""

    def report(stage: str, done: int, total: int) -> None:
        if stage == "pull":
            progress(stage, done, total)

    return report


def list_models() -> list[LocalPair]:
    """Return every model on this machine that has a name: "nano", those in `models/`, and pulled ones."""
    from youtu_gguf.hub.listing import local_pairs

    return local_pairs(hub_cache())


def list_unfinished() -> list[Path]:
    """Return the files whose download has broken off; pulling the same model again resumes it."""
    from youtu_gguf.hub.listing import partial_downloads

    return partial_downloads(hub_cache())


def remove(spec: str) -> int:
    """Delete a pulled model from the cache; return how many bytes that freed.

    Args:
        spec: `ORG/NAME[:QUANT][@REVISION]`; `ORG/NAME` alone deletes the whole repository.

    Raises:
        InputError: An invalid spec, or files that cannot be deleted.
        ModelFileError: It is not there.
    """
    from youtu_gguf.hub.local import remove
    from youtu_gguf.hub.spec import parse_spec

    cache = hub_cache()
    if cache is None:
        raise no_home("downloads", "HF_HOME")
    return remove(parse_spec(spec), cache)


def _locate(wanted: str | PathLike[str] | None) -> Path:
    from youtu_gguf.hub.local import locate

    return locate(wanted or default_model(), hub_cache())
