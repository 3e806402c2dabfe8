"""The memory that a model takes on a device, and which device computes what."""

from __future__ import annotations

from typing import Any

import pytest

from youtu_gguf.config import make_settings
from youtu_gguf.engines.native.llama.memory import DeviceMemory, estimate, on_device
from youtu_gguf.engines.native.llama.placement import Device, Placement, place
from youtu_gguf.errors import EngineError, InputError
from youtu_gguf.facts import LANGUAGE, N_TOKENS, PUBLISHED_BYTES, PUBLISHED_PROJECTOR_BYTES, VISION
from youtu_gguf.weights.plan import PUBLISHED

GB = 10**9
CPU = Device("CPU", "a processor", "CPU", 16 * GB, 16 * GB)


def needed(n_ctx: int = 16_384) -> DeviceMemory:
    """What the published Q8_0 model and its projector take on a device."""
    sizes = PUBLISHED_BYTES["Q8_0"], PUBLISHED_PROJECTOR_BYTES
    memory = estimate(PUBLISHED, VISION.n_embd, *sizes, n_ctx, 512, 2048, 0)
    return on_device(PUBLISHED, memory, N_TOKENS * LANGUAGE.n_embd * 34 // 32)


def cards(*free: float) -> list[Device]:
    return [CPU, *(Device(f"CUDA{i}", "a card", "GPU", int(n * GB), 80 * GB) for i, n in enumerate(free))]


def placed(free: tuple[float, ...], **settings: Any) -> Placement:
    return place(make_settings(**settings), cards(*free), needed())


@pytest.mark.parametrize(("n_ctx", "measured_gb"), [(4096, 7.1), (16_384, 7.6), (32_768, 8.4)])
def test_the_estimate_is_within_10_percent_of_what_was_measured_on_an_h100(n_ctx: int, measured_gb: float) -> None:
    assert needed(n_ctx).total(41) / GB == pytest.approx(measured_gb, rel=0.1)


def test_the_head_is_the_first_layer_on_a_device_and_parts_add_up() -> None:
    memory = needed()
    assert memory.total(0, projector=False) == 0
    assert memory.total(1) - memory.total(0) == memory.compute + memory.head
    assert memory.total(2) - memory.total(1) == (memory.layers + memory.context) // 40
    assert memory.total(41) == memory.total(99)
    assert [memory.layers_that_fit(memory.total(n)) for n in (1, 2, 20, 41)] == [1, 2, 20, 41]
    assert memory.layers_that_fit(memory.total(20) - 1) == 19
    assert memory.layers_that_fit(0) == 0


def test_without_a_gpu_everything_runs_on_the_processor_whatever_the_number_of_layers() -> None:
    for layers in ("auto", -1, 0, 17):
        found = placed((), n_gpu_layers=layers)
        assert (found.devices, found.n_gpu_layers, found.projector, str(found)) == ((), 0, None, "CPU")


def test_auto_gives_a_device_all_layers_if_they_fit_and_else_as_many_as_fit() -> None:
    assert placed((24,)) == Placement(("CUDA0",), 41, 41, "CUDA0", 41)
    some = placed((6,))
    assert some.devices == ("CUDA0",)
    assert 0 < some.n_gpu_layers == some.fitting < 41
    assert needed().total(some.n_gpu_layers) <= 6 * GB
    assert str(some) == f"CUDA0 {some.n_gpu_layers} of 41 layers"
    assert placed((2.0,)) == Placement((), 0, 41, "CUDA0", 0)  # room for the projector only
    assert placed((1.0,)) == Placement((), 0, 41, None, 0)


def test_more_layers_than_fit_are_refused_with_the_number_that_fits() -> None:
    for layers in (41, -1, 1000):
        with pytest.raises(EngineError, match=r"need about 7\.\d\d GB on CUDA0; 6\.00 GB are free") as raised:
            placed((6,), n_gpu_layers=layers)
        fitting = int(str(raised.value).split("set n_gpu_layers to ")[1].split()[0])
        assert placed((6,), n_gpu_layers=fitting).n_gpu_layers == fitting
        with pytest.raises(EngineError):
            placed((6,), n_gpu_layers=fitting + 1)


def test_memory_that_a_device_does_not_tell_is_not_a_reason_to_refuse() -> None:
    silent = [CPU, Device("RPC0", "elsewhere", "GPU", 0, 0)]
    assert place(make_settings(), silent, needed()) == Placement(("RPC0",), 41, 41, "RPC0", None)


def test_devices_are_chosen_by_name() -> None:
    assert placed((24, 24), device="cuda1").devices == ("CUDA1",)
    assert placed((24,), device="CPU") == Placement((), 0, 41, None)
    assert placed((24, 24), n_gpu_layers=0) == Placement((), 0, 41, None)
    apart = placed((24, 24), mmproj_device="CUDA1")
    assert (apart.devices, apart.projector, str(apart)) == (("CUDA0",), "CUDA1", "CUDA0, projector on CUDA1")
    assert placed((24,), mmproj_device="cpu").projector is None
    assert placed((24,), device="cpu", mmproj_device="CUDA0").projector == "CUDA0"
    both = placed((5, 5), device="CUDA0, CUDA1")
    assert (both.devices, both.n_gpu_layers) == (("CUDA0", "CUDA1"), 41)


def test_an_integrated_gpu_is_used_where_there_is_no_other() -> None:
    integrated = Device("Vulkan0", "in the processor", "integrated GPU", 24 * GB, 24 * GB)
    assert place(make_settings(), [CPU, integrated], needed()).devices == ("Vulkan0",)
    assert place(make_settings(), [integrated, *cards(24)], needed()).devices == ("CUDA0",)


@pytest.mark.parametrize("setting", ["device", "mmproj_device"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(setting: str) -> None:
    with pytest.raises(InputError, match=f"{setting} must be among cpu, CUDA0, CUDA1; got CUDA7"):
        placed((24, 24), **{setting: "CUDA7"})
    with pytest.raises(InputError, match=r"must be among cpu; got CUDA0\. This llama.cpp sees no GPU; docs/gpu\.md"):
        placed((), **{setting: "CUDA0"})
    for wrong in ("", 5, "\n"):
        with pytest.raises(InputError, match=f"{setting} must be the name of a device"):
            make_settings(**{setting: wrong})  # type: ignore[arg-type]


def test_the_projector_has_one_device_and_must_fit_there() -> None:
    with pytest.raises(InputError, match="mmproj_device must be one device"):
        placed((24, 24), mmproj_device="CUDA0,CUDA1")
    with pytest.raises(EngineError, match=r"the projector needs about 1\.\d\d GB on CUDA1; 0\.50 GB are free"):
        placed((24, 0.5), mmproj_device="CUDA1")


def test_a_failed_allocation_ends_in_the_number_that_fits() -> None:
    assert placed((24,), device="cpu").remedy == ""
    assert "41 of 41 layers fit. Lower n_gpu_layers (now 41)" in placed((24,)).remedy
