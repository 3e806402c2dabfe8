"""The symbols of llama.cpp that we use, the guard on its version, and its log.

Symbols come from llama-cpp-python's own ctypes layer. One of them is experimental upstream (the hidden-state tap), so
it is bound here alone and used only with versions it was tried on.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

from youtu_gguf.errors import CapabilityError, EngineError

__all__ = ["VERSION", "Way", "choose_way", "last_words", "lib", "listening", "mtmd", "read_tap", "set_tap", "start"]

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
"""llama-cpp-python versions on which the hidden-state tap gave the same numbers as the public way."""

Way = Literal["nextn", "embeddings"]
"""How hidden states of all tokens are read: the tap, or by flagging every token as an output."""

_LOG_LINES_KEPT = 40
_LEVEL_WARN, _LEVEL_ERROR = 3, 4  # enum ggml_log_level in ggml.h


def choose_way(wanted: str) -> Way:
    """Return the way hidden states will be read; `wanted` is "auto" or a way.

    Raises:
        CapabilityError: The tap was asked for by name and this llama.cpp lacks it.
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
    """Make every decode on `context` keep, or no longer keep, the final hidden state of every token of its batch."""
    _tap().llama_set_embeddings_nextn(context, enabled, False)


def read_tap(context: Any) -> Any:
    """Return the float pointer to the (n_tokens, n_embd) states of the last decode."""
    return _tap().llama_get_embeddings_nextn(context)


@cache
def start() -> None:
    """Start llama.cpp once per process and take over its log."""
    lib.llama_backend_init()
    lib.llama_log_set(_log, ctypes.c_void_p(0))
    mtmd.mtmd_log_set(_log, ctypes.c_void_p(0))
    mtmd.mtmd_helper_log_set(_log, ctypes.c_void_p(0))


def last_words() -> str:
    """Return llama.cpp's latest warnings and errors, for an error message; then forget them."""
    text = "".join(_complaints).strip()
    _complaints.clear()
    return f" llama.cpp said: {text}" if text else ""


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Pass everything llama.cpp says, of any level, to `listener` while this lasts."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@cache
def _tap() -> Any:
    try:
        from llama_cpp import llama_cpp_ext
    except (ImportError, AttributeError):  # the symbol is absent, or the whole module is
        return None
    return llama_cpp_ext


_complaints: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
_listeners: list[Callable[[str], None]] = []


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _log(level: int, text: bytes, _user_data: object) -> None:
    if level in (_LEVEL_WARN, _LEVEL_ERROR):
        _complaints.append(text.decode("utf-8", "replace"))
    for listener in _listeners:
        listener(text.decode("utf-8", "replace"))
