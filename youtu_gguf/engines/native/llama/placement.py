"""Which device computes what: the choice from the settings, the devices there are, and the memory that is free.

This file needs no llama.cpp.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from youtu_gguf.config import PROCESSOR
from youtu_gguf.engines.native.llama.memory import DEVICE_BYTES, DeviceMemory
from youtu_gguf.errors import EngineError, InputError

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.types import GpuLayers

KINDS = ("CPU", "GPU", "integrated GPU", "accelerator")
"""enum ggml_backend_dev_type in ggml-backend.h."""

ROOM = 0.95
"""Share of a device's free memory to fill where the number of layers is chosen here: the estimate is off by some
percent."""


@dataclass(frozen=True)
class Device:
    """A processor or GPU. `free` and `total` are bytes of its memory; both are 0 where it does not tell."""

    name: str
    description: str
    kind: str
    free: int
    total: int

    @property
    def is_gpu(self) -> bool:
        """Whether layers can be given to it."""
        return "GPU" in self.kind


@dataclass(frozen=True)
class Placement:
    """Where a model is computed.

    Attributes:
        devices: Names of the devices of the language model; none means the processor.
        n_gpu_layers: Layers there; llama.cpp counts the head as one.
        n_layers: All layers, counted in the same way.
        projector: Name of the projector's device; None means the processor.
        fitting: Layers that fit by the estimate; None where the memory of a device is not known.
    """

    devices: tuple[str, ...] = ()
    n_gpu_layers: int = 0
    n_layers: int = 0
    projector: str | None = None
    fitting: int | None = None

    @property
    def remedy(self) -> str:
        """What to do where llama.cpp cannot allocate what it needs, as the end of an error message."""
        if not self.devices and self.projector is None:
            return ""
        fewer = "" if self.fitting is None else f" By its free memory {self.fitting} of {self.n_layers} layers fit."
        return f"{fewer} Lower n_gpu_layers (now {self.n_gpu_layers}), n_ctx or image_max_tokens."

    def __str__(self) -> str:
        if not self.devices:
            return f"projector on {self.projector}" if self.projector else "CPU"
        part = "" if self.n_gpu_layers == self.n_layers else f" {self.n_gpu_layers} of {self.n_layers} layers"
        apart = "" if self.projector in self.devices else f", projector on {self.projector or 'CPU'}"
        return f"{','.join(self.devices)}{part}{apart}"


def place(settings: Settings, available: Sequence[Device], memory: DeviceMemory) -> Placement:
    """Choose devices and the number of layers on them.

    Args:
        settings: `device`, `mmproj_device` and `n_gpu_layers` decide.
        available: The devices that llama.cpp sees, with what is free on them.
        memory: What the model takes on a device.

    Raises:
        InputError: A device that is named does not exist.
        EngineError: The layers that are asked for, or the projector, do not fit; the message has the number that fits.
    """
    devices, projector = _wanted_devices(settings, available)
    shared = projector in devices
    if projector is not None and not shared and not _has_room(projector, memory.total(0)):
        raise EngineError(
            f"the projector needs {_compared(memory.total(0), [projector])} Choose another mmproj_device."
        )
    auto = settings.n_gpu_layers == "auto"
    fitting = _fitting(memory, devices, ROOM if auto else 1.0, projector=shared)
    n_layers = memory.n_layer + 1
    n = _n_wanted(settings.n_gpu_layers, n_layers) if devices else 0
    if fitting is not None and n > fitting:
        if not auto:
            raise EngineError(
                f"{n} of {n_layers} layers (n_gpu_layers={settings.n_gpu_layers}) need "
                f"{_compared(memory.total(n, projector=shared), devices)} {fitting} fit: set n_gpu_layers to {fitting} "
                'or "auto", or lower n_ctx or image_max_tokens.'
            )
        n = fitting
    if projector is not None and shared and not n and not _has_room(projector, memory.total(0)):
        projector = None
    names = tuple(device.name for device in devices) if n else ()
    return Placement(names, n, n_layers, projector.name if projector else None, fitting)


def _wanted_devices(settings: Settings, available: Sequence[Device]) -> tuple[list[Device], Device | None]:
    """Return the devices of the language model and that of the projector, as the settings have it."""
    gpus = {device.name: device for device in available if device.is_gpu}
    devices = default_devices(available)
    if settings.device is not None:
        devices = choose_devices("device", settings.device, gpus)
    if settings.n_gpu_layers == 0:
        devices = []
    projectors = devices
    if settings.mmproj_device is not None:
        projectors = choose_devices("mmproj_device", settings.mmproj_device, gpus, most=1)
    return devices, projectors[0] if projectors else None


def _n_wanted(n_gpu_layers: GpuLayers, n_layers: int) -> int:
    return n_layers if n_gpu_layers in ("auto", -1) else min(int(n_gpu_layers), n_layers)


def default_devices(available: Iterable[Device]) -> list[Device]:
    """Return the device that is used where none is named: the first GPU, else the first integrated one, if any."""
    gpus = [device for device in available if device.is_gpu]
    return sorted(gpus, key=lambda device: device.kind != KINDS[1])[:1]


def choose_devices(setting: str, wanted: str, gpus: Mapping[str, Device], most: int | None = None) -> list[Device]:
    """Return the devices that a setting names, at most `most` of them; none for the processor.

    Raises:
        InputError: There is no such device among `gpus`, or they are too many.
    """
    if wanted.lower() == PROCESSOR:
        return []
    by_name = {name.lower(): device for name, device in gpus.items()}
    names = [name.strip() for name in wanted.split(",")]
    unknown = [name for name in names if name.lower() not in by_name]
    if unknown:
        there = ", ".join([PROCESSOR, *gpus])
        remedy = "" if gpus else " This llama.cpp sees no GPU; docs/gpu.md says how to build it for one."
        raise InputError(f"{setting} must be among {there}; got {', '.join(unknown)}.{remedy}")
    found = [by_name[name] for name in dict.fromkeys(name.lower() for name in names)]
    if most is not None and len(found) > most:
        raise InputError(f"{setting} must be one device; got {wanted!r}. Name one of them.")
    return found


def _fitting(memory: DeviceMemory, devices: Sequence[Device], share: float, *, projector: bool) -> int | None:
    """Return the layers that fit on `devices` together; None without devices, or where one does not tell its memory."""
    if not devices or not all(device.total for device in devices):
        return None
    again = (len(devices) - 1) * (memory.compute + DEVICE_BYTES)  # every further device has working memory of its own
    room = sum(int(share * device.free) for device in devices) - again
    return memory.layers_that_fit(room, projector=projector)


def _has_room(device: Device, needed: int) -> bool:
    return not device.total or needed <= device.free


def _compared(needed: int, devices: Sequence[Device]) -> str:
    names, free = ",".join(device.name for device in devices), sum(device.free for device in devices)
    return f"about {needed / 1e9:.2f} GB on {names}; {free / 1e9:.2f} GB are free."
