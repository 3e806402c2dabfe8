"""Packages that evaluations need and others do not: those of the extra "eval"."""

from importlib import import_module
from typing import Any

from youtu_gguf.errors import InputError


def needed(module: str) -> Any:
    """Return a module of a package of the extra "eval".

    Raises:
        InputError: The package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as exc:
        raise InputError(
            f'expected the package {module.partition(".")[0]}; got: {exc}. Install it: pip install "youtu_gguf[eval]"'
        ) from exc
