"""What is not published about the weights: what is assumed, and how to measure it on your own files."""

from importlib import import_module
from typing import TYPE_CHECKING

from youtu_gguf.calibration.assumptions import Calibration

if TYPE_CHECKING:
    from youtu_gguf.calibration.calibrate import run
    from youtu_gguf.calibration.report import CalibrationReport, Finding
    from youtu_gguf.calibration.storage import StoredCalibration, forget, store, stored

__all__ = ["Calibration", "CalibrationReport", "Finding", "StoredCalibration", "forget", "run", "store", "stored"]

_LATE = {
    "CalibrationReport": "report",
    "Finding": "report",
    "StoredCalibration": "storage",
    "forget": "storage",
    "run": "calibrate",
    "store": "storage",
    "stored": "storage",
}
"""Names by the module that has them: decoding needs the assumptions alone, which must not load a model's code."""


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
