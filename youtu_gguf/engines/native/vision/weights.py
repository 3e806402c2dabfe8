"""The projector's tensors for our own graph: mapped from its file on a processor, copied to any other device."""

from __future__ import annotations

import mmap
from contextlib import ExitStack
from typing import Any

import numpy as np
from gguf.constants import GGMLQuantizationType as Kind

from youtu_gguf.engines.native.vision.ggml import WEIGHTS, Devices, address, functions, tensors, write
from youtu_gguf.engines.native.vision.graph import Tensor
from youtu_gguf.errors import CapabilityError, EngineError, ModelFileError
from youtu_gguf.gguf.header import Header, TensorInfo

KINDS = frozenset(
    (
        Kind.F32, Kind.F16, Kind.BF16, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q8_0,
        Kind.Q2_K, Kind.Q3_K, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K,
    )
)  # fmt: skip
"""Types that ggml multiplies with on every kind of device, those that `quantize` writes among them."""


class Weights:
    """Tensors of a checked projector file.

    Args:
        header: The file's header, after `gguf.vision.check_vision`.
        devices: Where they are computed with.
        mapped: Leave them in the file, of which the system then keeps in memory what is used: for processors.

    Raises:
        CapabilityError: A tensor has a type that is not among `KINDS`.
        EngineError: There is no room on the device.
        ModelFileError: The file can no longer be read.
    """

    def __init__(self, header: Header, devices: Devices, *, mapped: bool) -> None:
        unknown = sorted({info.type.name for info in header.tensors.values() if info.type not in KINDS})
        if unknown:
            raise CapabilityError(
                f"the windowed vision tower computes with {', '.join(sorted(kind.name for kind in KINDS))}; "
                f'{header.path} has tensors of {", ".join(unknown)}. Use vision="mtmd".'
            )
        self._g = functions()
        with ExitStack() as stack:
            self._file = self._map(header)
            context = stack.enter_context(tensors(len(header.tensors)))
            self.by_name = {
                name: Tensor(self._declare(context, info), info.type) for name, info in header.tensors.items()
            }
            if mapped:
                self._place(header, stack)
            else:
                buffer = devices.allocate(context)
                stack.callback(self._g.backend_buffer_free, buffer)
                self._g.backend_buffer_set_usage(buffer, WEIGHTS)
                for name, info in header.tensors.items():
                    write(self.by_name[name].handle, self._file[info.offset : info.offset + info.n_bytes])
                self._file = None
            self._owned = stack.pop_all()

    def _map(self, header: Header) -> Any:
        try:
            with header.path.open("rb") as file:
                found = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        except (OSError, ValueError) as exc:
            raise ModelFileError(f"expected to map {header.path} into memory; got: {exc}. Check the file.") from exc
        if len(found) != header.file_size:
            raise ModelFileError(
                f"expected {header.path} of {header.file_size:,} bytes, as when it was checked; got {len(found):,}. "
                "Load it again when it is no longer written."
            )
        return found

    def _declare(self, context: Any, info: TensorInfo) -> Any:
        """Create a tensor without data; its size must be what the file has."""
        if len(info.shape) == 1:
            tensor = self._g.new_tensor_1d(context, info.type, *info.shape)
        else:
            tensor = self._g.new_tensor_2d(context, info.type, *info.shape[:2])
        n_bytes = self._g.nbytes(tensor)
        if n_bytes != info.n_bytes:
            raise EngineError(
                f"expected ggml to take {info.n_bytes} bytes for {info.name} of type {info.type.name}; it takes "
                f'{n_bytes}. Use vision="mtmd".'
            )
        return tensor

    def _place(self, header: Header, stack: ExitStack) -> None:
        """Let the tensors be where the file is mapped."""
        start = address(self._file)
        buffer = self._g.backend_cpu_buffer_from_ptr(start, self._file.nbytes)
        if not buffer:
            raise EngineError(f"ggml could not use the mapped file {header.path}. Free some memory and try again.")
        stack.callback(self._g.backend_buffer_free, buffer)
        self._g.backend_buffer_set_usage(buffer, WEIGHTS)
        for name, info in header.tensors.items():
            if self._g.backend_tensor_alloc(buffer, self.by_name[name].handle, start + info.offset):
                raise EngineError(f'ggml could not place the tensor {name} of {header.path}. Use vision="mtmd".')

    def close(self) -> None:
        """Free the tensors."""
        self._owned.close()
        self._file = None
