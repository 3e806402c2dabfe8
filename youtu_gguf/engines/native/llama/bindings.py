"""The symbols of llama.cpp that this package uses, the check of its version, and its log.

The symbols come from the ctypes layer of llama-cpp-python. The hidden-state tap is experimental upstream, so it is
bound in this file only and used only with versions on which it has been tested.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

from youtu_gguf.errors import CapabilityError, EngineError
from youtu_gguf.forks import Owner

__all__ = [
    "VERSION",
    "HiddenWay",
    "choose_way",
    "lib",
    "log_listener",
    "mtmd",
    "read_tap",
    "recent_warnings",
    "set_tap",
    "start",
]

try:
    import llama_cpp as _package
    from llama_cpp import llama_cpp as lib
    from llama_cpp import mtmd_cpp as mtmd
except (ImportError, OSError, RuntimeError) as exc:
    raise EngineError(
        f"the native engine needs llama-cpp-python with its compiled library; importing it failed: {exc}. "
        "Reinstall it: pip install --force-reinstall --no-cache-dir llama-cpp-python"
    ) from exc

VERSION: str = _package.__version__

TAP_VERSIONS = frozenset({"0.3.36"})
"""Versions of llama-cpp-python on which the hidden-state tap returned the same numbers as the public API."""

HiddenWay = Literal["nextn", "embeddings"]
"""How the hidden states of all tokens are read: by the tap, or by flagging every token as an output."""

_LOG_LINES_KEPT = 40
_LEVEL_WARN, _LEVEL_ERROR = 3, 4  # enum ggml_log_level in ggml.h


def choose_way(wanted: str) -> HiddenWay:
    """Return the way to read hidden states; `wanted` is "auto" or the name of a way.

    Raises:
        CapabilityError: `wanted` names the tap, and this llama.cpp does not have it.
    """
    tapped = _tap() is not None
    if wanted == "nextn" and not tapped:
        raise CapabilityError(
            f'hidden_way="nextn" needs llama_set_embeddings_nextn; llama-cpp-python {VERSION} does not export it. '
            'Use hidden_way="auto".'
        )
    if wanted == "auto":
        return "nextn" if tapped and VERSION in TAP_VERSIONS else "embeddings"
    return "nextn" if wanted == "nextn" else "embeddings"


def set_tap(context: Any, enabled: bool) -> None:
    """Set whether a decode on `context` keeps the final hidden state of every token of its batch."""
    _tap().llama_set_embeddings_nextn(context, enabled, False)


def read_tap(context: Any) -> Any:
    """Return a pointer to the (n_tokens, n_embd) float states of the last decode."""
    return _tap().llama_get_embeddings_nextn(context)


def start() -> None:
    """Start llama.cpp once per process and redirect its log to this module.

    Raises:
        EngineError: This process was forked from one that has used it: llama.cpp would wait for ever for the threads
            that it computes with (OpenMP's), which do not exist here.
    """
    _started().check()


@cache
def _started() -> Owner:
    lib.llama_backend_init()
    lib.llama_log_set(_log, ctypes.c_void_p(0))
    mtmd.mtmd_log_set(_log, ctypes.c_void_p(0))
    mtmd.mtmd_helper_log_set(_log, ctypes.c_void_p(0))
    return Owner("llama.cpp")


def recent_warnings() -> str:
    """Return and clear llama.cpp's latest warnings and errors, as the end of an error message."""
    text = "".join(_warnings).strip()
    _warnings.clear()
    return f" llama.cpp reported: {text}" if text else ""


@contextmanager
def log_listener(listener: Callable[[str], None]) -> Iterator[None]:
    """Pass llama.cpp's log of all levels to `listener` within a `with` block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@cache
def _tap() -> Any:
    try:
        from llama_cpp import llama_cpp_ext
    except (ImportError, AttributeError):  # the module or its symbol is missing
        return None
    return llama_cpp_ext


_warnings: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
_listeners: list[Callable[[str], None]] = []


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    if level in (_LEVEL_WARN, _LEVEL_ERROR):
        _warnings.append(text.decode("utf-8", "replace"))
    for listener in _listeners:
        listener(text.decode("utf-8", "replace"))
