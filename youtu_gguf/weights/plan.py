"""Whether a model fits into this machine, and what to change where it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from youtu_gguf import machine
from youtu_gguf.config import LoadSettings, Settings, make_settings
from youtu_gguf.environment import default_model
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.facts import LANGUAGE, N_TOKENS, PUBLISHED_BYTES, PUBLISHED_PROJECTOR_BYTES, REPOSITORY, VISION
from youtu_gguf.gguf.choice import quant_of
from youtu_gguf.gguf.language import LanguageFacts
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.hub.models import find, require_library
from youtu_gguf.hub.spec import DEFAULT_SPEC, Spec

if TYPE_CHECKING:
    from youtu_gguf.engines.native.llama.memory import Memory
    from youtu_gguf.engines.native.llama.placement import Device, Placement

PUBLISHED = LanguageFacts(
    LANGUAGE.n_embd, LANGUAGE.n_layer, N_TOKENS, LANGUAGE.n_head, LANGUAGE.kv_lora, LANGUAGE.qk_rope, LANGUAGE.n_ctx,
    tied=True,
)  # fmt: skip
"""The published model, for where the hub cannot be asked."""

BITS_PER_WEIGHT = {
    "F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5, "Q6_K": 6.6, "Q5_K_M": 5.78, "Q4_K_M": 5.03, "Q3_K_M": 4.24,
}  # fmt: skip
"""What `quantize` makes of the published shapes (docs/quantisation.md)."""

SMALLER = ("Q6_K", "Q5_K_M", "Q4_K_M")
"""Encodings to fall back to, those that cost answers least first."""

SLIM_SHARE = 0.921
"""What `slim` leaves of the published file (docs/benchmarks.md)."""

COMFORT = 0.9
"""Share of the free memory to plan with: other programs need some."""

LOWER_LIMITS = ((8192, 1024), (4096, 512), (2048, 256))
"""Contexts and image tokens to fall back to."""

SizesFrom = Literal["disk", "hub", "documentation"]


@dataclass(frozen=True)
class Setup:
    """One way to run a model: the language model's encoding, limits, and the memory these take."""

    encoding: str
    slim: bool
    n_ctx: int
    image_max_tokens: int
    memory: Memory
    shared: int = 0
    """Of these bytes, those of files that are mapped: all processes of a machine have them together."""


@dataclass(frozen=True)
class Plan:
    """What a model takes and what there is.

    Attributes:
        name: What was asked about.
        sizes_from: Where the sizes of the files are from; "documentation" where the hub could not be asked.
        wanted: As requested.
        recommended: The first that fits, from `wanted` on down; None where nothing does.
        free: Bytes of memory that are free; a container's limit counts.
        total: Bytes of memory in all.
        gpus: GPUs as llama.cpp sees them.
        gpu_memory: Bytes that the wanted setup takes on a GPU with all layers.
        placement: What `load` would compute where: the devices, and how many layers fit into their free memory.
    """

    name: str
    sizes_from: SizesFrom
    wanted: Setup
    recommended: Setup | None
    free: int
    total: int
    gpus: tuple[Device, ...]
    gpu_memory: int
    placement: Placement

    @property
    def fits(self) -> bool:
        """Whether it fits as requested."""
        return self.wanted is self.recommended


@dataclass(frozen=True)
class _Files:
    """What is known of a pair's files: bytes, of the head too, sizes, and the language model's encoding."""

    name: str
    facts: LanguageFacts
    vision_width: int
    weights: int
    head: int
    projector: int
    encoding: str
    slim: bool
    sizes_from: SizesFrom


class _OnGpu(TypedDict):
    """The fields of a plan that are about GPUs."""

    gpus: tuple[Device, ...]
    gpu_memory: int
    placement: Placement


def plan(
    wanted: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    encoding: str | None = None,
    **settings: Unpack[LoadSettings],
) -> Plan:
    """Estimate the memory a model needs and compare it with this machine's.

    Args:
        wanted: As for `load`; a spec need not be downloaded: the hub is asked for the sizes of its files.
        mmproj: Path of the projector; found beside the model when None.
        encoding: Plan for this encoding of the language model, as `quantize` would make it.
        settings: Those of `load` that matter here: `n_ctx`, `n_batch`, `image_max_tokens`, `cache_bytes`, `device`,
            `mmproj_device`, `vision`.

    Raises:
        InputError: An unknown encoding, setting or device, or a context longer than the model was made for.
        ModelFileError: There is no such model, or its files cannot be used.
    """
    chosen = make_settings(**settings)
    files = _find(wanted or default_model(), mmproj)
    if encoding is not None and (not isinstance(encoding, str) or encoding.upper() not in BITS_PER_WEIGHT):
        raise InputError(f"expected an encoding among {', '.join(BITS_PER_WEIGHT)}; got {encoding!r}.")
    first = _setup(files, chosen, (encoding or files.encoding).upper(), files.slim)
    free, total = machine.usable_memory()
    setups = [first, *_alternatives(files, chosen, first)]
    recommended = next((setup for setup in setups if setup.memory.total <= COMFORT * free), None)
    on_gpu = _on_gpu(files, chosen, first.memory)
    return Plan(files.name, files.sizes_from, first, recommended, free, total, **on_gpu)


def gpus() -> tuple[Device, ...]:
    """Return the GPUs of this machine as llama.cpp sees them; a process that asks takes some memory of each."""
    from youtu_gguf.engines.native.llama.devices import devices

    return tuple(device for device in devices() if device.is_gpu)


def _find(wanted: str | PathLike[str] | None, mmproj: str | PathLike[str] | None) -> _Files:
    from youtu_gguf.engines.native.llama.memory import head_bytes
    from youtu_gguf.hub.local import as_spec
    from youtu_gguf.weights.inspect import main_encoding
    from youtu_gguf.weights.slim import COUNT_KEY

    try:
        model, projector = find(wanted, mmproj)
    except ModelFileError:
        spec = DEFAULT_SPEC if wanted is None else as_spec(wanted)
        if spec is None:
            raise
        return _published(spec)
    pair = check_pair(model, projector)
    sizes = pair.model.file_size, head_bytes(pair.model), pair.projector.file_size
    encoding = _encoding(model, main_encoding(pair.model))
    return _Files(
        str(model), pair.language, pair.vision.n_embd, *sizes, encoding, COUNT_KEY in pair.model.metadata, "disk"
    )


def _published(spec: Spec) -> _Files:
    sizes_from: SizesFrom
    try:
        require_library()
        from youtu_gguf.hub.pull import find_remote

        remote, sizes_from = find_remote(spec), "hub"
        weights, projector = remote.model.n_bytes, remote.projector.n_bytes
        encoding = _encoding(Path(remote.model.name), "Q8_0")
    except ModelFileError:
        encoding = (spec.quant or "Q8_0").upper()
        if spec.repository != REPOSITORY or encoding not in PUBLISHED_BYTES:
            raise
        weights, projector, sizes_from = PUBLISHED_BYTES[encoding], PUBLISHED_PROJECTOR_BYTES, "documentation"
    head = round(N_TOKENS * LANGUAGE.n_embd * BITS_PER_WEIGHT.get(encoding, BITS_PER_WEIGHT["Q8_0"]) / 8)
    return _Files(str(spec), PUBLISHED, VISION.n_embd, weights, head, projector, encoding, False, sizes_from)


def _encoding(path: Path, most: str) -> str:
    """Return the encoding in a file's name, where it is a known one, else `most`."""
    named = quant_of(path)
    return named if named in BITS_PER_WEIGHT else most


def _setup(
    files: _Files, settings: Settings, encoding: str, slim: bool, limits: tuple[int, int] | None = None
) -> Setup:
    from youtu_gguf.engines.native.llama.memory import estimate

    n_ctx, image_tokens = limits or (settings.context(files.facts.n_ctx_train), settings.image_max_tokens)
    weights = files.weights * (SLIM_SHARE if slim and not files.slim else 1.0)
    if encoding != files.encoding:
        weights *= BITS_PER_WEIGHT[encoding] / BITS_PER_WEIGHT.get(files.encoding, BITS_PER_WEIGHT["Q8_0"])
    memory = estimate(
        files.facts,
        files.vision_width,
        round(weights),
        files.projector,
        n_ctx,
        settings.n_batch,
        image_tokens,
        settings.cache_bytes,
        settings.vision,
    )
    mapped = memory.weights + (0 if settings.vision == "mtmd" else memory.projector)  # mtmd copies the projector
    return Setup(encoding, slim, n_ctx, image_tokens, memory, 0 if settings.repack else mapped)


def _alternatives(files: _Files, settings: Settings, first: Setup) -> list[Setup]:
    """Return what to fall back to: without the codebook, in fewer bits, and finally with lower limits."""
    bits = BITS_PER_WEIGHT.get(first.encoding, BITS_PER_WEIGHT["Q8_0"])
    encodings = [first.encoding, *(name for name in SMALLER if BITS_PER_WEIGHT[name] < bits)]
    found = [_setup(files, settings, name, True) for name in encodings]
    for limits in LOWER_LIMITS:
        lower = min(limits[0], first.n_ctx), min(limits[1], first.image_max_tokens)
        found.append(_setup(files, settings, encodings[-1], True, lower))
    return found


def _on_gpu(files: _Files, settings: Settings, memory: Memory) -> _OnGpu:
    from youtu_gguf.engines.native.llama.devices import devices
    from youtu_gguf.engines.native.llama.memory import on_device, vision_bytes
    from youtu_gguf.engines.native.llama.placement import place

    available = devices()
    vision = vision_bytes("mtmd", files.vision_width, settings.image_max_tokens)  # more, and "auto" may need it
    needed = on_device(files.facts, replace(memory, vision=vision), round(files.head * memory.weights / files.weights))
    return _OnGpu(
        gpus=tuple(device for device in available if device.is_gpu),
        gpu_memory=needed.total(needed.n_layer + 1),
        placement=place(replace(settings, n_gpu_layers="auto"), available, needed),
    )
