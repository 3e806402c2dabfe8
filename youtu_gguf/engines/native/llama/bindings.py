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

from youtu_gguf.environment import set_cuda_graphs, short_spins
from youtu_gguf.errors import CapabilityError, EngineError, InputError
from youtu_gguf.forks import Owner

__all__ = [
    "VERSION",
    "HiddenWay",
    "choose_way",
    "decide_cuda_graphs",
    "ggml",
    "lib",
    "log_listener",
    "mtmd",
    "read_tap",
    "recent_warnings",
    "set_tap",
    "start",
]

try:
    with short_spins():
        import llama_cpp as _package
        from llama_cpp import llama_cpp as lib
        from llama_cpp import mtmd_cpp as mtmd
        from llama_cpp._ggml import libggml
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


def decide_cuda_graphs(wanted: bool) -> None:
    """Turn CUDA graphs on or off before anything is computed; the first call decides, as llama.cpp looks once.

    Raises:
        InputError: The environment or an earlier call says otherwise.
    """
    if _decided and _decided != [wanted]:
        raise InputError(
            f"cuda_graphs must be {not wanted} in this process, as for its first model (llama.cpp looks once); "
            f"got {wanted}. Load this model in another process."
        )
    set_cuda_graphs(wanted)
    _decided[:] = [wanted]


def start() -> None:
    """Start llama.cpp once per process; this looks for devices.

    Raises:
        EngineError: This process was forked from one that has used it: llama.cpp would wait for ever for the threads
            that it computes with (OpenMP's), which do not exist here.
    """
    _started().check()


@cache
def _started() -> Owner:
    lib.llama_backend_init()
    return Owner("llama.cpp")


def ggml(name: str, result: Any) -> Any:
    """Return a function of ggml that returns a `result`, a type of ctypes or None."""
    function = getattr(libggml, name)
    function.restype = result
    return function


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


_decided: list[bool] = []
_warnings: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
_listeners: list[Callable[[str], None]] = []


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    if level in (_LEVEL_WARN, _LEVEL_ERROR):
        _warnings.append(text.decode("utf-8", "replace"))
    for listener in _listeners:
        listener(text.decode("utf-8", "replace"))


def _redirect_logs() -> None:
    """Redirect the logs of ggml, llama.cpp and mtmd to this module.

    Done at import, before anything can look for devices: the first look logs what it finds, and llama-cpp-python's own
    listener prints that to stderr.
    """
    for redirect in (ggml("ggml_log_set", None), lib.llama_log_set, mtmd.mtmd_log_set, mtmd.mtmd_helper_log_set):
        redirect(_log, ctypes.c_void_p(0))


_redirect_logs()
