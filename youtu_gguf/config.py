"""What a user may set, with the defaults and their reasons. The only reader of the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from youtu_gguf import machine
from youtu_gguf.errors import InputError
from youtu_gguf.types import Lang

MODEL_VARIABLE = "YOUTU_GGUF_MODEL"
"""Names the model to load where the caller names none."""

ENGINE_VARIABLE = "YOUTU_GGUF_ENGINE"
"""Names the engine that the command line uses where --engine is not given."""

KEY_VARIABLE = "YOUTU_GGUF_API_KEY"
"""Holds the key of a server named by its address."""

LLAMA_SERVER_VARIABLE = "YOUTU_GGUF_LLAMA_SERVER"
"""Names the llama-server program to run."""

CALIBRATIONS_VARIABLE = "YOUTU_GGUF_CALIBRATIONS"
"""Names the folder where calibrations are kept, in place of one in the user's data folder."""

MAX_IMAGE_TOKENS = 62_500
MAX_THREADS = 512
"""llama.cpp's own limits for this projector and for a thread pool (clip.cpp, ggml.h)."""

DEFAULT_CONTEXT = 16_384
"""Holds the largest image (2,048 tokens) and the longest documented answer (12,280)."""

_INT32_MAX = (1 << 31) - 1

HiddenWay = Literal["auto", "nextn", "embeddings"]


PENALTY_LAST_N = 64
TOP_K = 40
"""llama.cpp's own defaults, in force beside the documented sampling. Top-k changes nothing at top-p 0.001, but saves
sorting the whole vocabulary."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    The defaults are the model's documented ones (facts: prompt). Temperature 0 is greedy. With top-p 0.001 the
    likeliest token all but always wins anyway, so answers hardly vary with `seed`.
    """

    temperature: float = 0.1
    top_p: float = 0.001
    repeat_penalty: float = 1.05
    max_tokens: int = 12_280
    seed: int = 0
    max_s: float = math.inf
    loop_guard: bool = True
    """Whether an answer that goes round in circles is ended (engines/repetition.py says what counts as a circle)."""
    scores: bool = False
    """Whether pieces carry the probabilities of their tokens."""

    def __post_init__(self) -> None:
        for name, (kinds, fits) in _FITS.items():
            value = getattr(self, name)
            if type(value) not in kinds or not fits(value):
                ranges = "temperature >= 0, 0 < top_p <= 1, repeat_penalty > 0, max_tokens >= 1, 0 <= seed < 2^32"
                raise InputError(
                    f"sampling needs {ranges}, max_s > 0, no NaN; whole max_tokens and seed; loop_guard and "
                    f"scores True or False; got {name}={value!r}."
                )


_NUMBER, _WHOLE, _SWITCH = (int, float, np.float64), (int,), (bool,)
_FITS: dict[str, tuple[tuple[type, ...], Callable[[Any], bool]]] = {
    "temperature": (_NUMBER, lambda value: 0 <= value < math.inf),
    "top_p": (_NUMBER, lambda value: 0 < value <= 1),
    "repeat_penalty": (_NUMBER, lambda value: 0 < value < math.inf),
    "max_tokens": (_WHOLE, lambda value: value >= 1),
    "seed": (_WHOLE, lambda value: 0 <= value < 1 << 32),
    "max_s": (_NUMBER, lambda value: value > 0),
    "loop_guard": (_SWITCH, lambda _: True),
    "scores": (_SWITCH, lambda _: True),
}
"""Of what kind the fields of `Sampling` are, and in what range."""


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started and spoken to. Those from `llama_server` on are for engine="server" only.

    Attributes:
        n_slots: Answers generated at the same time: the slots of a llama-server, the requests sent at once to another.
        stall_s: Longest silence of a server while it owes an answer. At full size, eight images waiting for two
            cores take four minutes to begin.
        connect_s: Longest wait for a connection.
        retries: How often a request is sent again to a server named by its address, where that may help.
        api_key: Key of a server named by its address; None takes the environment variable `YOUTU_GGUF_API_KEY`.
        llama_server: The program; None looks in `YOUTU_GGUF_LLAMA_SERVER`, where scripts/build-llama-server installs
            it, and on the PATH.
        server_flags: Further flags of its command line, after ours: they win.
        server_log: File for what it writes; None means one in the user's state folder. Kept below 8 MB, twice.
        start_s: Longest wait for it to be ready.
        hang_s: How long it may leave the question for its health unanswered before it is killed and restarted.
        restarts: How often in a row it is started again without having answered anything in between.
        max_server_bytes: Memory of its own, the mapped model file not counted, above which it is restarted when it has
            nothing to do; None means half of the machine's.
    """

    n_slots: int = 4
    stall_s: float = 900.0
    connect_s: float = 10.0
    retries: int = 3
    api_key: str | None = field(default=None, repr=False)
    llama_server: Path | None = None
    server_flags: tuple[str, ...] = ()
    server_log: Path | None = None
    start_s: float = 600.0
    hang_s: float = 30.0
    restarts: int = 5
    max_server_bytes: int | None = None

    def __post_init__(self) -> None:
        _check_range("n_slots", self.n_slots, 1, MAX_SLOTS)
        _check_range("retries", self.retries, 0, 100)
        _check_range("restarts", self.restarts, 0, 1000)
        for name in ("stall_s", "connect_s", "start_s", "hang_s"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value <= MAX_SECONDS:
                raise InputError(f"{name} must be above 0 and at most {MAX_SECONDS:,}; got {value!r}.")
        if self.max_server_bytes is not None:
            _check_range("max_server_bytes", self.max_server_bytes, 1, 1 << 62)
        if self.api_key is not None:
            _checked_key(self.api_key, "api_key")
        for name in ("llama_server", "server_log"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checked_path(name, getattr(self, name)))
        flags = self.server_flags
        if isinstance(flags, str) or not all(isinstance(flag, str) and "\0" not in flag for flag in _listed(flags)):
            raise InputError(f'server_flags must be a list such as ["--numa", "isolate"]; got {flags!r}.')
        object.__setattr__(self, "server_flags", tuple(flags))


MAX_SLOTS = 256
"""llama.cpp's limit of sequences (LLAMA_MAX_SEQ in llama-cparams.h)."""

MAX_SECONDS = 1_000_000
"""Python's locks take no more than some 10 days on every system."""


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
        lang: Language that questions are put in where a run does not say.
        sampling: How tokens are drawn.
        server: What only the engines "server" and "http://..." look at.
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
    lang: Lang = "en"
    sampling: Sampling = field(default_factory=Sampling)
    server: ServerSettings = field(default_factory=ServerSettings)

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
        checked_lang(self.lang)

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


def make_settings(**named: Any) -> Settings:
    """Build settings from keywords; those of `Sampling` and `ServerSettings` are accepted beside those of `Settings`.

    Raises:
        InputError: An unknown name, or a value out of range.
    """
    parts: dict[str, type] = {"sampling": Sampling, "server": ServerSettings}
    own = {f.name for f in fields(Settings)} - parts.keys()
    of_parts = {part: {f.name for f in fields(kind)} for part, kind in parts.items()}
    known = own.union(*of_parts.values())
    unknown = sorted(named.keys() - known)
    if unknown:
        raise InputError(f"unknown setting {', '.join(unknown)}. The settings are: {', '.join(sorted(known))}.")
    made = {part: kind(**{n: v for n, v in named.items() if n in of_parts[part]}) for part, kind in parts.items()}
    return Settings(**{name: value for name, value in named.items() if name in own}, **made)


def default_model() -> str | None:
    """Return the model named by the environment variable `YOUTU_GGUF_MODEL`, if it is set."""
    return os.environ.get(MODEL_VARIABLE) or None


def default_engine() -> str | None:
    """Return the engine named by the environment variable `YOUTU_GGUF_ENGINE`, if it is set."""
    return os.environ.get(ENGINE_VARIABLE) or None


def default_api_key() -> str | None:
    """Return the key in the environment variable `YOUTU_GGUF_API_KEY`, if it is set.

    Raises:
        InputError: It cannot be sent.
    """
    key = os.environ.get(KEY_VARIABLE) or None
    return None if key is None else _checked_key(key, KEY_VARIABLE)


def default_llama_server() -> Path | None:
    """Return the llama-server named by the environment variable `YOUTU_GGUF_LLAMA_SERVER`, if it is set."""
    value = os.environ.get(LLAMA_SERVER_VARIABLE)
    return checked_path(LLAMA_SERVER_VARIABLE, value) if value else None


def server_environment(api_key: str) -> dict[str, str]:
    """Return the environment for a llama-server of ours.

    It is this process's, without the variables that change what a llama-server does (`LLAMA_...`) and those of Hugging
    Face tools (`HF_...`), among them a token; its key is in `LLAMA_API_KEY`, where other users cannot read it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(("LLAMA_", "HF_"))}
    return kept | {"LLAMA_API_KEY": api_key}


def data_folder() -> Path:
    """Return the folder for what is installed for this user, such as llama-server."""
    from platformdirs import user_data_path

    return user_data_path("youtu-gguf", appauthor=False)


def calibrations_folder() -> Path:
    """Return the folder for what was found out about models: that of `YOUTU_GGUF_CALIBRATIONS`, if it is set."""
    return _folder(CALIBRATIONS_VARIABLE) or data_folder() / "calibrations"


def state_folder() -> Path:
    """Return the folder for what is known of running servers, and for their logs."""
    from platformdirs import user_state_path

    return user_state_path("youtu-gguf", appauthor=False)


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


def _checked_key(key: object, name: str) -> str:
    """Return a key that may stand in a header of HTTP."""
    if not isinstance(key, str) or not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError(f"{name} must be a key without blanks, in ASCII; it is not (and is not shown here).")
    return key


def _listed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (None,)


def checked_name(model: object) -> str:
    """Return the name of a model on a server.

    Raises:
        InputError: It cannot be one.
    """
    if not isinstance(model, str) or not model.strip() or not model.isprintable():
        raise InputError(f"the name of a model on a server must be words; got {model!r}.")
    return model


def checked_lang(lang: object) -> Lang:
    """Return a language that there are wordings in.

    Raises:
        InputError: It is none.
    """
    for known in get_args(Lang):
        if lang == known:
            return cast("Lang", known)
    raise InputError(f"lang must be one of {', '.join(get_args(Lang))}; got {lang!r}.")


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
