"""Calibrations kept on this machine, one small JSON file for each pair of model files, found by their content."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from youtu_gguf.atomic import json_bytes, write_bytes, writing
from youtu_gguf.calibration.assumptions import DEFAULT, OWN_MODELS, Calibration
from youtu_gguf.calibration.report import CalibrationReport
from youtu_gguf.environment import CALIBRATIONS_VARIABLE, calibrations_folder, no_home
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.hub.models import find
from youtu_gguf.types import Normalise, Refinement

if TYPE_CHECKING:
    from collections.abc import Callable

    from youtu_gguf.gguf.pair import ModelPair

FORMAT = 2
"""Of the files; a file of another number was written by another version of this package. 1 had fewer questions."""

REMEDY = "Delete it with `youtu-gguf calibrate --forget`, or measure again with `youtu-gguf calibrate`."

_CHOICES: dict[str, tuple[object, ...]] = {
    "position_shift": (0, -1),
    "leading_space": (False, True),
    "bin_base": (0, 1),
    "align_corners": (False, True),
    "normalise": get_args(Normalise),
    "sigmoid_divisor": (4, 1),
    "final_period": (False, True),
    "refine": (None, *get_args(Refinement)),
}


@dataclass(frozen=True)
class StoredCalibration:
    """A calibration stored for a pair of model files.

    Attributes:
        path: The file it is kept in.
        calibration: What to assume about the weights.
        decided: Fields of it that were measured; the others are defaults.
        date: When it was stored, in ISO 8601, UTC.
        version: Of this package, which measured it.
        evidence: The findings, as in the file.
    """

    path: Path
    calibration: Calibration
    decided: tuple[str, ...]
    date: str
    version: str
    evidence: dict[str, Any]


def store(report: CalibrationReport) -> Path:
    """Store what a calibration measured, for `load` to use with the same model files; return the file written.

    Raises:
        InputError: The model had no files.
        OutputError: The folder cannot be written to.
    """
    from youtu_gguf.version import __version__

    if report.key is None:
        raise InputError(
            "expected a report on model files; this one is on an engine of your own. "
            "Hand its calibration to load: load(..., calibration=report.calibration)."
        )
    path = _path(report.key)
    form = {
        "format": FORMAT,
        "key": report.key,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "youtu_gguf": __version__,
        "calibration": asdict(report.calibration),
        "decided": [finding.question for finding in report.findings if finding.answer is not None],
        "evidence": report.form(),
    }
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json_bytes(form, indent=2))
    return path


def stored(
    model: str | PathLike[str] | None = None, mmproj: str | PathLike[str] | None = None
) -> StoredCalibration | None:
    """Return the calibration stored for the files that `load` would take; None without one.

    Raises:
        ModelFileError: The files are not here, or their stored calibration is damaged.
    """
    return _read(_path(_key(model, mmproj)))


def forget(model: str | PathLike[str] | None = None, mmproj: str | PathLike[str] | None = None) -> Path | None:
    """Delete the calibration of a model's files, damaged or not; return the deleted file, None if there was none.

    Raises:
        ModelFileError: The model's files are not here.
        InputError: It cannot be deleted.
    """
    path = _path(_key(model, mmproj))
    try:
        path.unlink()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise InputError(f"expected to delete {path}; got: {exc.strerror or exc}. Delete it yourself.") from exc
    return path


def read_for(pair: ModelPair) -> StoredCalibration | None:
    """Return the stored calibration of a pair. Without any stored calibration this costs almost nothing.

    Raises:
        ModelFileError: It is damaged.
    """
    return _read_if_any(lambda: fingerprint(pair.model, pair.projector))


def in_force(title: str, key: Callable[[], str]) -> Calibration:
    """Return what `load` assumes about model files: what is stored for them on this machine, else what is known.

    Args:
        title: `general.name` of the language model.
        key: Returns the fingerprint of the pair; called only if anything is stored.

    Raises:
        ModelFileError: The stored calibration is damaged.
    """
    stored = _read_if_any(key)
    return OWN_MODELS.get(title, DEFAULT) if stored is None else stored.calibration


def _read_if_any(key: Callable[[], str]) -> StoredCalibration | None:
    folder = calibrations_folder()
    try:
        if folder is None or not folder.is_dir() or not any(path.suffix == ".json" for path in folder.iterdir()):
            return None
    except OSError as exc:
        raise ModelFileError(
            f"expected to read the stored calibrations in {folder}; got: {exc}. Set {CALIBRATIONS_VARIABLE} to a "
            'folder of your own, or load with calibration="default".'
        ) from exc
    return _read(_path(key()))


def _key(model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None) -> str:
    from youtu_gguf.gguf.pair import check_pair

    pair = check_pair(*find(model, mmproj))
    return fingerprint(pair.model, pair.projector)


def _path(key: str) -> Path:
    folder = calibrations_folder()
    if folder is None:
        raise no_home("calibrations", CALIBRATIONS_VARIABLE)
    return folder / f"{key}.json"


def _read(path: Path) -> StoredCalibration | None:
    try:
        form = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise _damaged(path, str(exc)) from exc
    if not isinstance(form, dict) or form.get("format") != FORMAT:
        got = form.get("format") if isinstance(form, dict) else type(form).__name__
        raise _damaged(path, f"one of format {got!r}, not {FORMAT}, as another version of this package writes them")
    if form.get("key") != path.stem:
        raise _damaged(path, f"the calibration of other files, {form.get('key')!r}")
    values, decided, evidence = form.get("calibration"), form.get("decided"), form.get("evidence")
    date, version = form.get("date"), form.get("youtu_gguf")
    if not isinstance(values, dict) or set(values) != {field.name for field in fields(Calibration)}:
        raise _damaged(path, f"the fields {values!r}")
    for name, choices in _CHOICES.items():
        if not any(values[name] == choice and type(values[name]) is type(choice) for choice in choices):
            raise _damaged(path, f"{name} {values[name]!r}")
    if not isinstance(decided, list) or not set(map(str, decided)) <= set(values):
        raise _damaged(path, f"decided {decided!r}")
    if not isinstance(evidence, dict) or not isinstance(date, str) or not isinstance(version, str):
        raise _damaged(path, "no date, version or evidence")
    return StoredCalibration(path, Calibration(**values), tuple(decided), date, version, evidence)


def _damaged(path: Path, got: str) -> ModelFileError:
    return ModelFileError(f"expected a stored calibration in {path}; got {got}. {REMEDY}")
