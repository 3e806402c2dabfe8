"""The devices that llama.cpp can compute on, and the library in use."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cpp._ggml import libggml

from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import lib

KINDS = ("CPU", "GPU", "integrated GPU", "accelerator")
"""enum ggml_backend_dev_type in ggml-backend.h."""


@dataclass(frozen=True)
class Device:
    """A processor or GPU. `free` and `total` are bytes of its memory."""

    name: str
    description: str
    kind: str
    free: int
    total: int


def devices() -> tuple[Device, ...]:
    """Return the devices that this build of llama.cpp can compute on."""
    bindings.start()
    count, get = _bound("ggml_backend_dev_count", ctypes.c_size_t), _bound("ggml_backend_dev_get", ctypes.c_void_p)
    handles = [get(ctypes.c_size_t(i)) for i in range(count())]
    return tuple(_described(ctypes.c_void_p(handle)) for handle in handles)


def library() -> Path:
    """Return the path of the llama.cpp library in use."""
    return Path(lib._lib._name)


def features() -> tuple[str, ...]:
    """Return the processor and build features that llama.cpp reports."""
    words: str = lib.llama_print_system_info().decode("utf-8", "replace")
    return tuple(word.strip() for word in words.replace("=", " ").replace(" 1 ", " ").split("|") if word.strip())


def _described(handle: ctypes.c_void_p) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    _bound("ggml_backend_dev_memory", None)(handle, ctypes.byref(free), ctypes.byref(total))
    kind = _bound("ggml_backend_dev_type", ctypes.c_int)(handle)
    return Device(
        _bound("ggml_backend_dev_name", ctypes.c_char_p)(handle).decode("utf-8", "replace"),
        _bound("ggml_backend_dev_description", ctypes.c_char_p)(handle).decode("utf-8", "replace"),
        KINDS[kind] if 0 <= kind < len(KINDS) else "other",
        free.value,
        total.value,
    )


def _bound(name: str, result: Any) -> Any:
    function = getattr(libggml, name)
    function.restype = result
    return function
