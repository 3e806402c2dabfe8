"""The output folder of a batch in shards: whether it has the same settings as before, and starting over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from youtu_gguf.atomic import json_bytes, writing
from youtu_gguf.batch import attempts, parts
from youtu_gguf.batch.attempts import FOLDER as ATTEMPTS
from youtu_gguf.batch.journal import clear_results
from youtu_gguf.batch.parts import PARTS
from youtu_gguf.batch.settings import FORMAT, SETTINGS, compare, read_settings
from youtu_gguf.batch.store import Store
from youtu_gguf.errors import InputError

CLUSTER_FORMAT = 1
"""Under "cluster" in the settings of a folder with parts. Raised when parts change so that they cannot be resumed."""

_OURS = re.compile(
    rf"{PARTS}/\d{{6,}}-[\w.-]+{re.escape(parts.SUFFIX)}|{ATTEMPTS}/\d{{6,}}-[\w.-]+{re.escape(attempts.SUFFIX)}"
)
"""What a batch in shards writes, besides its settings and claims of drivers."""


def check_settings(store: Store, settings: Mapping[str, Any], *, restart: bool = False) -> None:
    """Make sure that a folder of a batch in shards has these settings, and write them where it is new.

    Args:
        store: The output folder, held by this driver.
        settings: The settings that the results depend on, as JSON; they must be the same in every run.
        restart: Delete what earlier runs wrote, and nothing else; nothing at all where another command wrote it.

    Raises:
        InputError: The folder was written with other settings, or by something else; or it cannot be read.
        OutputError: It cannot be written to.
    """
    if restart:
        clear(store)
    wanted = {"format": FORMAT, "cluster": CLUSTER_FORMAT, **settings}
    data = store.read(SETTINGS)
    if data is not None:
        compare(data, wanted, str(store))
        return
    if any(map(_OURS.fullmatch, store.files(PARTS))):
        raise InputError(
            f"expected {SETTINGS} beside the parts in {store}; it is missing. Name another folder, or start over with "
            "--restart."
        )
    store.write(SETTINGS, json_bytes(wanted, indent=2))


def clear(store: Store) -> None:
    """Delete what batches in shards have written to a folder, what was collected there, and in the end the settings.

    Raises:
        InputError: The folder cannot be read.
        OutputError: Something cannot be deleted.
    """
    names = [name for folder in (PARTS, ATTEMPTS) for name in store.files(folder) if _OURS.fullmatch(name)]
    data = store.read(SETTINGS)
    if not names and (data is None or "cluster" not in read_settings(data, str(store))):
        return
    store.remove_all(names)
    if store.folder is not None:
        with writing(store.folder):
            clear_results(store.folder)
    store.remove(SETTINGS)
