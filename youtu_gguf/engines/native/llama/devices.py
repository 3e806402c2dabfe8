"""The devices that llama.cpp can compute on, and the library in use."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import ggml, lib
from youtu_gguf.engines.native.llama.memory import check_context, estimate, head_bytes, on_device
from youtu_gguf.engines.native.llama.placement import KINDS, Device, Placement, place
from youtu_gguf.machine import usable_memory

LOG = logging.getLogger("youtu_gguf")

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.gguf.pair import ModelPair


def devices() -> tuple[Device, ...]:
    """Return the devices that this build of llama.cpp can compute on."""
    bindings.start()
    count, get = ggml("ggml_backend_dev_count", ctypes.c_size_t), ggml("ggml_backend_dev_get", ctypes.c_void_p)
    handles = [get(ctypes.c_size_t(i)) for i in range(count())]
    return tuple(_described(ctypes.c_void_p(handle)) for handle in handles)


def place_pair(pair: ModelPair, settings: Settings, n_ctx: int) -> Placement:
    """Choose the devices for a checked pair; `placement.place` says how, and what it raises.

    Raises:
        EngineError: The processor is to compute it, and its memory has no room for the context.
    """
    sizes = pair.model.file_size, pair.projector.file_size
    limits = n_ctx, settings.n_batch, settings.image_max_tokens
    memory = estimate(pair.language, pair.vision.n_embd, *sizes, *limits, settings.cache_bytes)
    placement = place(settings, devices(), on_device(pair.language, memory, head_bytes(pair.model)))
    if not placement.devices:
        check_context(memory, n_ctx, usable_memory().free, repack=settings.repack)
    if placement.fitting is not None and settings.n_gpu_layers == "auto":
        LOG.info("%s fits: %s", pair.model.path.name, placement)
    return placement


def handle_of(name: str) -> ctypes.c_void_p:
    """Return llama.cpp's handle of the device `name`, one of those that `devices` returns."""
    return ctypes.c_void_p(ggml("ggml_backend_dev_by_name", ctypes.c_void_p)(name.encode()))


def handles_of(names: Sequence[str]) -> Any:
    """Return the list of devices that llama.cpp's model parameters take; an empty one means the processor alone."""
    return (ctypes.c_void_p * (len(names) + 1))(*map(handle_of, names), None)


def library() -> Path:
    """Return the path of the llama.cpp library in use."""
    return Path(lib._lib._name)


def features() -> tuple[str, ...]:
    """Return the processor and build features that llama.cpp reports."""
    bindings.start()
    words: str = lib.llama_print_system_info().decode("utf-8", "replace")
    return tuple(word.strip() for word in words.replace("=", " ").replace(" 1 ", " ").split("|") if word.strip())


def _described(handle: ctypes.c_void_p) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml("ggml_backend_dev_memory", None)(handle, ctypes.byref(free), ctypes.byref(total))
    kind = ggml("ggml_backend_dev_type", ctypes.c_int)(handle)
    return Device(
        ggml("ggml_backend_dev_name", ctypes.c_char_p)(handle).decode("utf-8", "replace"),
        ggml("ggml_backend_dev_description", ctypes.c_char_p)(handle).decode("utf-8", "replace"),
        KINDS[kind] if 0 <= kind < len(KINDS) else "other",
        free.value,
        total.value,
    )
