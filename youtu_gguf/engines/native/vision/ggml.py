"""The functions of ggml that the vision tower's graph is built with, and the devices that compute it.

All are of ggml's public C API (ggml.h, ggml-alloc.h, ggml-backend.h of the release that llama-cpp-python 0.3.36
vendors). They are looked up in llama.cpp's own library: a second copy of ggml in the process would know other devices.
ggml ends the process where an argument is wrong, so callers check shapes and types first.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from youtu_gguf.engines.native.llama.bindings import VERSION, lib, recent_warnings
from youtu_gguf.errors import CapabilityError, EngineError
from youtu_gguf.types import F32

PRECISE = 10
"""GGML_PREC_F32 of enum ggml_prec in ggml.h: sums are kept as F32."""
CPU_DEVICE = 0
"""GGML_BACKEND_DEVICE_TYPE_CPU of enum ggml_backend_dev_type in ggml-backend.h."""
WEIGHTS = 1
"""GGML_BACKEND_BUFFER_USAGE_WEIGHTS: the scheduler computes where a weight is."""
OUT_OF_MEMORY = -2
"""GGML_STATUS_ALLOC_FAILED of enum ggml_status in ggml.h."""

_P, _I, _L, _N, _F, _B = (
    ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t, ctypes.c_float, ctypes.c_bool,
)  # fmt: skip


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", _N), ("mem_buffer", _P), ("no_alloc", _B))


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "init": (_P, _InitParams),
    "free": (None, _P),
    "tensor_overhead": (_N,),
    "graph_overhead_custom": (_N, _N, _B),
    "new_graph_custom": (_P, _P, _N, _B),
    "build_forward_expand": (None, _P, _P),
    "new_tensor_1d": (_P, _P, _I, _L),
    "new_tensor_2d": (_P, _P, _I, _L, _L),
    "nbytes": (_N, _P),
    "set_input": (None, _P),
    "set_output": (None, _P),
    "add": (_P, _P, _P, _P),
    "mul": (_P, _P, _P, _P),
    "mul_mat": (_P, _P, _P, _P),
    "norm": (_P, _P, _P, _F),
    "rms_norm": (_P, _P, _P, _F),
    "gelu": (_P, _P, _P),
    "gelu_quick": (_P, _P, _P),
    "silu": (_P, _P, _P),
    "rope_multi": (_P, _P, _P, _P, _P, _I, ctypes.POINTER(_I), _I, _I, _F, _F, _F, _F, _F, _F),
    "flash_attn_ext": (_P, _P, _P, _P, _P, _P, _F, _F, _F),
    "prec_set_acc": (_B, _P, _I),
    "cast": (_P, _P, _P, _I),
    "cont": (_P, _P, _P),
    "cpy": (_P, _P, _P, _P),
    "concat": (_P, _P, _P, _P, _I),
    "permute": (_P, _P, _P, _I, _I, _I, _I),
    "reshape_2d": (_P, _P, _P, _L, _L),
    "reshape_3d": (_P, _P, _P, _L, _L, _L),
    "view_2d": (_P, _P, _P, _L, _L, _N, _N),
    "view_4d": (_P, _P, _P, _L, _L, _L, _L, _N, _N, _N, _N),
    "backend_dev_by_type": (_P, _I),
    "backend_dev_by_name": (_P, ctypes.c_char_p),
    "backend_dev_init": (_P, _P, ctypes.c_char_p),
    "backend_dev_backend_reg": (_P, _P),
    "backend_reg_get_proc_address": (_P, _P, ctypes.c_char_p),
    "backend_free": (None, _P),
    "backend_get_default_buffer_type": (_P, _P),
    "backend_alloc_ctx_tensors_from_buft": (_P, _P, _P),
    "backend_cpu_buffer_from_ptr": (_P, _P, _N),
    "backend_buffer_set_usage": (None, _P, _I),
    "backend_buffer_free": (None, _P),
    "backend_tensor_alloc": (_I, _P, _P, _P),
    "backend_tensor_set": (None, _P, _P, _N, _N),
    "backend_tensor_get": (None, _P, _P, _N, _N),
    "backend_sched_new": (_P, ctypes.POINTER(_P), ctypes.POINTER(_P), _I, _N, _B, _B),
    "backend_sched_free": (None, _P),
    "backend_sched_reset": (None, _P),
    "backend_sched_alloc_graph": (_B, _P, _P),
    "backend_sched_graph_compute": (_I, _P, _P),
}
"""What is used of ggml, without `ggml_`: the result and the arguments of each function."""


def resolve(library: Any) -> Any:
    """Look `FUNCTIONS` up in a loaded library, and return an object that has them as attributes.

    Raises:
        CapabilityError: Some are missing.
    """
    found, missing = {}, []
    for name, (result, *arguments) in FUNCTIONS.items():
        try:
            found[name] = ctypes.CFUNCTYPE(result, *arguments)((f"ggml_{name}", library))
        except AttributeError:
            missing.append(f"ggml_{name}")
    if missing:
        raise CapabilityError(
            f"the windowed vision tower needs functions of ggml that the llama.cpp of llama-cpp-python {VERSION} does "
            f'not export: {", ".join(missing)}. Use vision="mtmd".'
        )
    return SimpleNamespace(**found)


@cache
def functions() -> Any:
    """Return ggml's functions, looked up once in the library that llama.cpp was loaded from.

    Raises:
        CapabilityError: Some are missing.
    """
    return resolve(lib._lib)


@contextmanager
def tensors(n: int, n_graph: int = 0) -> Iterator[Any]:
    """Yield a context for `n` tensors, without their data, and for a graph of `n_graph` nodes.

    Raises:
        EngineError: ggml has no memory for it.
    """
    g = functions()
    room = n * g.tensor_overhead() + (g.graph_overhead_custom(n_graph, False) if n_graph else 0)
    context = g.init(_InitParams(room, None, True))
    if not context:
        raise EngineError("ggml could not allocate a context. Free some memory and try again.")
    try:
        yield context
    finally:
        g.free(context)


def sections(width: int) -> Any:
    """Return the lengths of the four sections of a rotary embedding, each `width` values."""
    return (_I * 4)(width, width, width, width)


def address(data: npt.NDArray[Any]) -> int:
    """Return the address of the first byte of an array."""
    return int(data.ctypes.data)


def write(tensor: Any, data: npt.NDArray[Any]) -> None:
    """Copy an array into a tensor of the same size and type.

    Raises:
        EngineError: The sizes differ.
    """
    expected = functions().nbytes(tensor)
    if data.nbytes != expected:
        raise EngineError(f"expected {expected} bytes for a tensor of the vision tower; got {data.nbytes}.")
    data = np.ascontiguousarray(data)
    functions().backend_tensor_set(tensor, address(data), 0, data.nbytes)


def read(tensor: Any, rows: int, cols: int) -> F32:
    """Return a copy of a tensor of `rows` rows of `cols` float32 values."""
    data = np.empty((rows, cols), np.float32)
    functions().backend_tensor_get(tensor, address(data), 0, data.nbytes)
    return data


class Devices:
    """The device that computes, the processor for what it cannot, and ggml's scheduler over both.

    Args:
        device: llama.cpp's name of the device; None means the processor.
        n_threads: Threads of the processor.
        n_graph: Most nodes of a graph.

    Raises:
        EngineError: A device cannot be used.
    """

    def __init__(self, device: str | None, n_threads: int, n_graph: int) -> None:
        self._g = g = functions()
        self._backends: list[Any] = []
        self._scheduler: Any = None
        processor = g.backend_dev_by_type(CPU_DEVICE)
        try:
            if device is not None:
                self._backends.append(_opened(g.backend_dev_by_name(device.encode()), device))
            self._backends.append(_opened(processor, "CPU"))
            _set_threads(g, processor, self._backends[-1], n_threads)
            n = len(self._backends)
            self._scheduler = g.backend_sched_new((_P * n)(*self._backends), None, n, n_graph, False, False)
        except BaseException:
            self.close()
            raise

    def allocate(self, context: Any) -> Any:
        """Return a buffer for all tensors of a context, in the first device's memory.

        Raises:
            EngineError: There is no room.
        """
        buffer_type = self._g.backend_get_default_buffer_type(self._backends[0])
        buffer = self._g.backend_alloc_ctx_tensors_from_buft(context, buffer_type)
        if not buffer:
            raise _no_room()
        return buffer

    def run(self, graph: Any, inputs: Sequence[tuple[Any, npt.NDArray[Any]]] = ()) -> None:
        """Compute a graph, after copying `inputs` into its tensors.

        Raises:
            EngineError: There is no room, or the device failed.
        """
        g = self._g
        g.backend_sched_reset(self._scheduler)
        if not g.backend_sched_alloc_graph(self._scheduler, graph):
            raise _no_room()
        for tensor, data in inputs:
            write(tensor, data)
        status = g.backend_sched_graph_compute(self._scheduler, graph)
        if status == OUT_OF_MEMORY:
            raise _no_room()
        if status:
            raise EngineError(f"the device failed to encode the image (status {status} of ggml).{recent_warnings()}")

    def close(self) -> None:
        """Free scheduler and devices, with their working memory."""
        if self._scheduler:
            self._g.backend_sched_free(self._scheduler)
            self._scheduler = None
        while self._backends:
            self._g.backend_free(self._backends.pop())


def _opened(device: Any, name: str) -> Any:
    backend = functions().backend_dev_init(device, None) if device else None
    if not backend:
        raise EngineError(f"ggml could not open the device {name} for the vision tower.{recent_warnings()}")
    return backend


def _set_threads(g: Any, device: Any, backend: Any, n_threads: int) -> None:
    """Set the processor's threads; the function for that is one of its own, which ggml looks up by name."""
    function = g.backend_reg_get_proc_address(g.backend_dev_backend_reg(device), b"ggml_backend_set_n_threads")
    if not function:
        raise CapabilityError('this llama.cpp has no setting for the threads of ggml. Use vision="mtmd".')
    ctypes.CFUNCTYPE(None, _P, _I)(function)(backend, n_threads)


def _no_room() -> EngineError:
    return EngineError(
        f"there is no room in the device's memory to encode the image. Lower image_max_tokens.{recent_warnings()}"
    )
