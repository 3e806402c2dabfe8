"""What a worker tells its parent, and what it tells about its model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import youtu_gguf as yg
from youtu_gguf.batch.image import Done
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.errors import YoutuError
from youtu_gguf.gguf.fingerprint import fingerprint


@dataclass(frozen=True)
class Ready:
    """The model is loaded: what the settings of a batch say of it, how many images it works on at a time, its name."""

    identity: dict[str, Any]
    n_parallel: int
    name: str | None


@dataclass(frozen=True)
class Ended:
    """The worker ends with an error of ours: its class, and what it says."""

    kind: type[YoutuError]
    message: str


@dataclass(frozen=True)
class Note:
    """What the worker logged: the logger's name, the level, and the message."""

    logger: str
    level: int
    text: str


@dataclass(frozen=True)
class Died:
    """The process has ended by itself, and with it the images that it was at work on."""

    how: str


Message = Ready | Done | Ended | Note | tuple[str, int, int]


def identity_of(model: yg.Model) -> dict[str, Any]:
    """Return what results depend on of a model, as JSON: its weights, by content, and its calibration in force."""
    calibration = model.calibration if model.engine.has_states else None
    if model.pair is None:
        return identity(calibration, name=name_of_model(model))
    return identity(calibration, fingerprint=fingerprint(model.pair.model, model.pair.projector))


def identity(calibration: Calibration | None = None, **weights: str | None) -> dict[str, Any]:
    """Return what results depend on of a model, as JSON.

    Args:
        calibration: That in force; None where the engine gives no states, which alone depend on it.
        weights: `fingerprint=` of its files; `name=` where it has none.
    """
    return {"model": weights} | ({} if calibration is None else {"calibration": asdict(calibration)})


def name_of_model(model: yg.Model) -> str | None:
    """Return the name of a model's first file, or the name that a server has for it; None where there is neither."""
    return next(iter(model.files), None)
