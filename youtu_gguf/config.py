"""What a user may set, with the defaults and their reasons. The only reader of the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from youtu_gguf.engines.base import Sampling
from youtu_gguf.errors import InputError

MODEL_VARIABLE = "YOUTU_GGUF_MODEL"
"""Names the model to load where the caller names none."""

MAX_IMAGE_TOKENS = 62_500
MAX_THREADS = 512
"""llama.cpp's own limits for this projector and for a thread pool (clip.cpp, ggml.h)."""

DEFAULT_CONTEXT = 16_384
"""Holds the largest image (2,048 tokens) and the longest documented answer (12,280)."""

_INT32_MAX = (1 << 31) - 1

HiddenWay = Literal["auto", "nextn", "embeddings"]


@dataclass(frozen=True)
class Settings:
    """How a model is loaded and asked.

    Attributes:
        n_ctx: Positions shared by the image, the questions and the answers. None means `DEFAULT_CONTEXT`, or the
            model's own context where that is shorter. The cache takes 46 KB a position at full size.
        n_batch: Positions decoded in one go.
        n_gpu_layers: Layers given to a GPU; -1 means all. Without a GPU build of llama.cpp it has no effect.
        repack: Rearrange weights for the processor's own matrix kernels while loading, where llama.cpp has some for the
            file's encoding. Loading then takes seconds and copies the file into memory of its own. What it brings
            depends on processor and encoding; measure it (docs/quantisation.md has one processor).
        threads: CPU threads; None means every core this process may use.
        image_max_tokens: Most tokens an image may take (documented: 2,048).
        hidden_way: How hidden states are read; "auto" picks the cheap way where the llama.cpp version is a known one.
        cache_bytes: Most memory for what has been seen of images: keys and values, 46 KB a token at full size, states
            and embeddings, 20 KB.
        cache_dir: Folder to keep what has been seen on disk too, so that opening a known image again, even in another
            process, decodes nothing. None keeps nothing.
        cache_dir_bytes: Most disk space for that; the longest unused goes first.
        sampling: How tokens are drawn.
    """

    n_ctx: int | None = None
    n_batch: int = 512
    n_gpu_layers: int = -1
    repack: bool = False
    threads: int | None = None
    image_max_tokens: int = 2048
    hidden_way: HiddenWay = "auto"
    cache_bytes: int = 256 << 20
    cache_dir: Path | None = None
    cache_dir_bytes: int = 4 << 30
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        if self.n_ctx is not None:
            _check_range("n_ctx", self.n_ctx, 1, _INT32_MAX)
        _check_range("n_batch", self.n_batch, 1, _INT32_MAX)
        _check_range("n_gpu_layers", self.n_gpu_layers, -1, _INT32_MAX)
        if not isinstance(self.repack, bool):
            raise InputError(f"repack must be True or False; got {self.repack!r}.")
        _check_range("image_max_tokens", self.image_max_tokens, 1, MAX_IMAGE_TOKENS)
        _check_range("cache_bytes", self.cache_bytes, 0, 1 << 62)
        _check_range("cache_dir_bytes", self.cache_dir_bytes, 0, 1 << 62)
        if self.cache_dir is not None:
            object.__setattr__(self, "cache_dir", checked_path("cache_dir", self.cache_dir))
        if self.threads is not None:
            checked_threads(self.threads)
        if self.hidden_way not in get_args(HiddenWay):
            raise InputError(f"hidden_way must be one of {', '.join(get_args(HiddenWay))}; got {self.hidden_way!r}.")

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
        return self.threads or usable_cores()


def make_settings(**named: Any) -> Settings:
    """Build settings from keywords; those of `Sampling` are accepted beside those of `Settings`.

    Raises:
        InputError: An unknown name, or a value out of range.
    """
    own = {f.name for f in fields(Settings)} - {"sampling"}
    drawing = {f.name for f in fields(Sampling)}
    unknown = sorted(named.keys() - own - drawing)
    if unknown:
        known = ", ".join(sorted(own | drawing))
        raise InputError(f"unknown setting {', '.join(unknown)}. The settings are: {known}.")
    sampling = Sampling(**{name: value for name, value in named.items() if name in drawing})
    return Settings(**{name: value for name, value in named.items() if name in own}, sampling=sampling)


def default_model() -> str | None:
    """Return the model named by the environment variable `YOUTU_GGUF_MODEL`, if it is set."""
    return os.environ.get(MODEL_VARIABLE) or None


def hub_cache() -> Path:
    """Return the folder where Hugging Face tools keep what they download, by the variables they read.

    Source: huggingface_hub's documentation, "Environment variables".
    """
    home = _folder("HF_HOME") or (_folder("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return _folder("HF_HUB_CACHE") or _folder("HUGGINGFACE_HUB_CACHE") or home / "hub"


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(os.path.expandvars(value)).expanduser() if value else None


def checked_path(name: str, value: Any) -> Path:
    """Return `value` as a path, "~" resolved.

    Raises:
        InputError: It cannot be one; names the argument `name`.
    """
    try:
        if value == "" or "\0" in str(value):
            raise ValueError("it is empty" if value == "" else "no name has a NUL in it")
        return Path(value).expanduser()
    except (TypeError, ValueError, RuntimeError) as exc:
        raise InputError(f"{name} must be a path; got {value!r}: {exc}.") from exc


def checked_threads(threads: int) -> int:
    """Return a number of threads that llama.cpp can start.

    Raises:
        InputError: It is none.
    """
    _check_range("threads", threads, 1, MAX_THREADS)
    return threads


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}; got {value!r}.")


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a container's limits show here, not in cpu_count
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
