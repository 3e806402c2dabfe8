"""What a user may set, with the defaults and their reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, TypedDict, Unpack

from youtu_gguf import machine
from youtu_gguf.arguments import (
    LARGEST,
    THREADS,
    apply_rules,
    as_int,
    checked_device,
    checked_flags,
    checked_key,
    checked_path,
    checked_schema,
    checked_stops,
    number,
    one_of,
    short_repr,
    switch,
    whole,
)
from youtu_gguf.errors import InputError
from youtu_gguf.facts import MAX_ANSWER_TOKENS, MAX_IMAGE_TOKENS, REPEAT_PENALTY, TEMPERATURE, TOP_P
from youtu_gguf.types import Draft, GpuLayers, HiddenWay, Lang, Vision

MOST_IMAGE_TOKENS = 62_500
"""llama.cpp's own limit for this projector (clip.cpp)."""

DEFAULT_CONTEXT = 16_384
"""Holds the largest image (2,048 tokens) and the longest documented answer (12,280)."""

PROCESSOR = "cpu"
"""Names the processor among the devices."""

_INT32_MAX = (1 << 31) - 1
_MAX_BYTES = 1 << 62

PENALTY_LAST_N = 64
TOP_K = 40
"""llama.cpp's own defaults, in force beside the documented sampling."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    The defaults are the model's documented ones (facts: prompt). Temperature 0 is greedy. So is top-p up to 1/`TOP_K`,
    whatever the temperature: only the likeliest token after the penalty is left to draw, and `seed` has no effect.
    """

    temperature: Annotated[float, number(least=0, most=LARGEST)] = TEMPERATURE
    top_p: Annotated[float, number(above=0, most=1)] = TOP_P
    repeat_penalty: Annotated[float, number(above=0, most=LARGEST)] = REPEAT_PENALTY
    max_tokens: Annotated[int, whole(1)] = MAX_ANSWER_TOKENS
    seed: Annotated[int, whole(0, (1 << 32) - 1)] = 0
    max_s: Annotated[float, number(above=0)] = math.inf
    """Seconds from the beginning of a request, while it waits and while the image is read too."""
    stop: Annotated[tuple[str, ...], checked_stops] = ()
    """Strings that end an answer; it keeps what stands before the first of them."""
    json_schema: Annotated[str | None, checked_schema] = None
    """A JSON schema, as text or as the object itself; the answer is JSON that fits it, unless a limit cuts it short."""
    loop_guard: Annotated[bool, switch] = True
    """Whether an endless answer is stopped (engines/repetition.py and engines/diversity.py define that)."""
    scores: Annotated[bool, switch] = False
    """Whether pieces carry the probabilities of their tokens."""

    def __post_init__(self) -> None:
        apply_rules(self)


MAX_SLOTS = 256
"""llama.cpp's limit of sequences (LLAMA_MAX_SEQ in llama-cparams.h)."""

MAX_SECONDS = 1_000_000
"""Python's locks take no more than some 10 days on every system."""

_Wait = Annotated[float, number(above=0, most=MAX_SECONDS)]


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started and used. Fields from `llama_server` on are for engine="server" only.

    Attributes:
        n_slots: Answers generated at the same time: the slots of a llama-server, the requests sent at once to another.
        stall_s: Longest silence of a server during an answer. At full size, eight images on two cores take four
            minutes to begin.
        connect_s: Longest wait for a connection.
        retries: How often a request is sent again to a server named by its address, where that can help.
        api_key: Key of a server named by its address; None takes the environment variable `YOUTU_GGUF_API_KEY`.
        llama_server: The program; None looks in `YOUTU_GGUF_LLAMA_SERVER`, where scripts/build-llama-server installs
            it, and on the PATH.
        server_flags: Further flags of its command line, after our own, which they override.
        server_log: File of its output; None means one in the user's state folder. At most two files of 8 MB are kept.
        start_s: Longest wait for it to be ready.
        hang_s: How long its health check may stay unanswered before it is killed and restarted.
        restarts: How often in a row it is restarted without an answer in between.
        max_server_bytes: Its own memory, without the mapped model file, above which it is restarted when idle; None
            means half of the memory that this process may use.
    """

    n_slots: Annotated[int, whole(1, MAX_SLOTS)] = 4
    stall_s: _Wait = 900.0
    connect_s: _Wait = 10.0
    retries: Annotated[int, whole(0, 100)] = 3
    api_key: Annotated[str | None, checked_key] = field(default=None, repr=False)
    llama_server: Annotated[Path | None, checked_path] = None
    server_flags: Annotated[tuple[str, ...], checked_flags] = ()
    server_log: Annotated[Path | None, checked_path] = None
    start_s: _Wait = 600.0
    hang_s: _Wait = 30.0
    restarts: Annotated[int, whole(0, 1000)] = 5
    max_server_bytes: Annotated[int | None, whole(1, _MAX_BYTES)] = None

    def __post_init__(self) -> None:
        apply_rules(self)


def _gpu_layers(name: str, value: object) -> GpuLayers:
    number = as_int(value)
    if isinstance(value, str) and value == "auto":
        return "auto"
    if number is None or not -1 <= number <= _INT32_MAX:
        raise InputError(
            f'{name} must be "auto" or a whole number from -1, for all, to {_INT32_MAX}; got {short_repr(value)}.'
        )
    return number


@dataclass(frozen=True)
class Settings:
    """How a model is loaded and asked.

    Attributes:
        n_ctx: Positions shared by the image, the questions and the answers. None means `DEFAULT_CONTEXT`, or the
            model's own context where that is shorter. The cache takes 46 KB a position at full size.
        n_batch: Positions decoded at a time.
        n_gpu_layers: Layers given to the device. "auto" means all if they fit into its free memory by an estimate, else
            as many as fit; -1 means all, and more than fit are an error. The head counts as one layer; 0 means that
            everything runs on the processor. Without a GPU build of llama.cpp it has no effect.
        device: Device of the language model by llama.cpp's name, such as "CUDA0"; several with commas between them; or
            "cpu". None means the first GPU, else the processor. `youtu-gguf doctor` lists the devices.
        mmproj_device: Device of the projector; None means the first of the language model's.
        cuda_graphs: Compute with CUDA graphs: text is generated 2 % faster, but with llama.cpp of llama-cpp-python
            0.3.36 images may be encoded wrongly; a check while loading looks for that. The first model loaded in a
            process decides for the process.
        vision: What encodes images. "windowed" is our own vision tower, which computes attention windows as windows:
            faster than llama.cpp's own, "mtmd", and in less memory. "auto" means "windowed" where this llama.cpp has
            what it needs and it gives llama.cpp's embeddings of a small image, else "mtmd", with a warning that says
            why; "windowed" where it cannot be used is an error. The comparison is made once for a projector, a build
            of llama.cpp and a device, and remembered in the user's state folder. A llama-server has mtmd alone.
        repack: Rearrange weights for the processor's own matrix kernels while loading, where llama.cpp has some for the
            file's encoding. Loading then takes seconds and copies the file into memory of its own. What it brings
            depends on processor and encoding; measure it (docs/quantisation.md has one processor). On a
            processor with AMX it is an EngineError, since llama.cpp would end the process there.
        threads: CPU threads; None means every core this process may use.
        image_max_tokens: Most tokens an image may take (documented: 2,048).
        hidden_way: How hidden states are read; "auto" picks the cheap way where the llama.cpp version is a known one.
        draft: Whether tokens that probably come next are decoded together with the last one. Answers stay the same, up
            to rounding where that depends on the size of a batch, and those with a structure take fewer decodes
            (docs/benchmarks.md). "auto" does so on devices where a decode of four tokens, timed while loading, takes
            less than 1.5 times that of one, and never on processors, where that takes seconds to find out.
        cache_bytes: Most memory for images that were seen: keys and values, 46 KB a token at full size, states
            and embeddings, 20 KB.
        cache_dir: Folder that keeps these on disk too, so that opening a known image again, even in another process,
            decodes nothing. None keeps nothing.
        cache_dir_bytes: Most disk space for that; the longest unused goes first.
        lang: Language of questions where a run does not name one.
        sampling: How tokens are drawn.
        server: Settings of the engines "server" and "http://..." alone.
    """

    n_ctx: Annotated[int | None, whole(1, _INT32_MAX)] = None
    n_batch: Annotated[int, whole(1, _INT32_MAX)] = 512
    n_gpu_layers: Annotated[GpuLayers, _gpu_layers] = "auto"
    device: Annotated[str | None, checked_device] = None
    mmproj_device: Annotated[str | None, checked_device] = None
    cuda_graphs: Annotated[bool, switch] = False
    vision: Annotated[Vision, one_of(Vision)] = "auto"
    repack: Annotated[bool, switch] = False
    threads: Annotated[int | None, THREADS] = None
    image_max_tokens: Annotated[int, whole(1, MOST_IMAGE_TOKENS)] = MAX_IMAGE_TOKENS
    hidden_way: Annotated[HiddenWay, one_of(HiddenWay)] = "auto"
    draft: Annotated[Draft, one_of(Draft)] = "auto"
    cache_bytes: Annotated[int, whole(0, _MAX_BYTES)] = 256 << 20
    cache_dir: Annotated[Path | None, checked_path] = None
    cache_dir_bytes: Annotated[int, whole(0, _MAX_BYTES)] = 4 << 30
    lang: Annotated[Lang, one_of(Lang)] = "en"
    sampling: Sampling = field(default_factory=Sampling)
    server: ServerSettings = field(default_factory=ServerSettings)

    def __post_init__(self) -> None:
        apply_rules(self)

    def context(self, n_ctx_train: int) -> int:
        """Return the positions of context to use with a model that was made for `n_ctx_train`.

        Raises:
            InputError: More are wanted than that: far beyond, llama.cpp's own tables exhaust the memory.
        """
        n_ctx = min(DEFAULT_CONTEXT, n_ctx_train) if self.n_ctx is None else self.n_ctx
        if n_ctx > n_ctx_train:
            raise InputError(f"n_ctx must be at most {n_ctx_train}, the model's own context; got {n_ctx}. Lower it.")
        return n_ctx

    @property
    def n_threads(self) -> int:
        """CPU threads to use."""
        return self.threads or machine.usable_cores()


class LoadSettings(TypedDict, total=False):
    """The settings that `load` takes by name: the fields of `Settings`, `Sampling` and `ServerSettings`."""

    n_ctx: int | None
    n_batch: int
    n_gpu_layers: GpuLayers
    device: str | None
    mmproj_device: str | None
    cuda_graphs: bool
    vision: Vision
    repack: bool
    threads: int | None
    image_max_tokens: int
    hidden_way: HiddenWay
    draft: Draft
    cache_bytes: int
    cache_dir: str | PathLike[str] | None
    cache_dir_bytes: int
    lang: Lang
    temperature: float
    top_p: float
    repeat_penalty: float
    max_tokens: int
    seed: int
    max_s: float
    stop: Sequence[str]
    json_schema: str | Mapping[str, Any] | None
    loop_guard: bool
    scores: bool
    n_slots: int
    stall_s: float
    connect_s: float
    retries: int
    api_key: str | None
    llama_server: str | PathLike[str] | None
    server_flags: Sequence[str]
    server_log: str | PathLike[str] | None
    start_s: float
    hang_s: float
    restarts: int
    max_server_bytes: int | None


def make_settings(**named: Unpack[LoadSettings]) -> Settings:
    """Build settings from keywords; those of `Sampling` and `ServerSettings` are accepted beside those of `Settings`.

    Raises:
        InputError: An unknown name, or a value out of range.
    """
    given: dict[str, Any] = {**named}
    unknown = sorted(given.keys() - LoadSettings.__annotations__.keys())
    if unknown:
        known = ", ".join(sorted(LoadSettings.__annotations__))
        raise InputError(f"unknown setting {', '.join(unknown)}. The settings are: {known}.")
    of_parts: dict[str, Any] = {
        part: kind(**{f.name: given.pop(f.name) for f in fields(kind) if f.name in given})
        for part, kind in (("sampling", Sampling), ("server", ServerSettings))
    }
    return Settings(**given, **of_parts)
