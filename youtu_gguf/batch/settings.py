"""The settings that results depend on: kept beside them, and compared before more are added."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from youtu_gguf.errors import InputError

SETTINGS = "settings.json"

FORMAT = 3
"""Raised when settings.json changes so that older folders cannot be resumed. 1 had a model's file names and sizes, 2
"files" for "formats"."""

MAKERS = {"cluster": "youtu-gguf batch --cluster", "collected": "youtu-gguf collect"}
"""What writes folders whose settings have these keys."""


def compare(data: bytes, wanted: Mapping[str, Any], where: str) -> None:
    """Compare settings with those in the file `settings.json` of the folder `where`.

    Args:
        data: What is in the file.
        wanted: The settings, with `FORMAT` as "format".
        where: What errors call the folder.

    Raises:
        InputError: They differ; says in what.
    """
    before, now = read_settings(data, where), json.loads(json.dumps(wanted))
    for key in MAKERS:
        if (key in before) != (key in now):
            raise of_another(where, key, is_its=key in before)
    if any(before.get(key) != now.get(key) for key in ("format", "cluster")):
        raise InputError(
            f"{where} was written by another version of this package, whose settings cannot be compared with these. "
            "Name another folder, or start over with --restart."
        )
    if before != now:
        was = "; ".join(differences(before, now))
        raise InputError(
            f"{where} holds results made with other settings ({was}). Name another folder, use the same settings as "
            "before, or start over with --restart."
        )


def of_another(where: str, key: str, *, is_its: bool) -> InputError:
    """Return the error for a folder that is the output of what `MAKERS` has under `key`, or is not though it should."""
    other = f"is the output of `{MAKERS[key]}`" if is_its else f"is no output of `{MAKERS[key]}`"
    return InputError(f"{where} {other}, so this command cannot use it. Name another folder.")


def read_settings(data: bytes, where: str) -> dict[str, Any]:
    """Return the settings in the file `settings.json` of the folder `where`.

    Raises:
        InputError: It holds something else.
    """
    try:
        return dict(json.loads(data))
    except (ValueError, TypeError) as exc:
        raise InputError(
            f"expected the settings of a batch in {SETTINGS} in {where}; got: {exc}. Name another folder."
        ) from exc


def differences(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield in words what two settings differ in, those within settings by both names."""
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{above}{name}.")
        elif old != new:
            yield f"{above}{name}: {old} before, {new} now"
