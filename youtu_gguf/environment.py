"""What the environment says: variables, and the folders of this user. The only reader of os.environ.

Importing it must not import NumPy, whose threads `limit_blas` sets before that.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from youtu_gguf.errors import InputError
from youtu_gguf.machine import usable_cores

MODEL_VARIABLE = "YOUTU_GGUF_MODEL"
"""Names the model to load where the caller does not."""

ENGINE_VARIABLE = "YOUTU_GGUF_ENGINE"
"""Names the engine that the command line uses where --engine is not given."""

KEY_VARIABLE = "YOUTU_GGUF_API_KEY"
"""Holds the key of a server named by its address."""

LLAMA_SERVER_VARIABLE = "YOUTU_GGUF_LLAMA_SERVER"
"""Names the llama-server program to run."""

NO_CUDA_GRAPHS_VARIABLE = "GGML_CUDA_DISABLE_GRAPHS"
"""llama.cpp computes without CUDA graphs where this is set, to any value (ggml-cuda/common.cuh).

With them, llama.cpp of llama-cpp-python 0.3.36 encodes images wrongly: the second and third of one size after others
of other sizes came out at cosine 0.4 and 0.2 (H100; nano; three images of each of the sizes 640x480, 1280x960, 640x480,
288x288). Without them, text is generated 2 % slower (170 and 174 tokens/s). Remove the setting `cuda_graphs` and this
when scripts/soak/encode_sizes.py --cuda-graphs passes on a CUDA device."""

BLAS_THREADS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Most threads of NumPy's OpenBLAS; the first that is set counts. By default it has one for each processor, whatever
the quota of a container (OpenBLAS, README)."""

GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
NO_GPU = "-1"
"""Which GPUs a process sees, by vendor; a number that no GPU has hides all. llama.cpp takes memory of every GPU that it
sees, also where it computes nothing there. Sources: NVIDIA, CUDA C++ Programming Guide, "CUDA Environment Variables";
AMD, ROCm documentation, "GPU isolation techniques"."""

BLAS_TIMEOUT_VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
BLAS_TIMEOUT = "16"
"""How long OpenBLAS's threads spin when they have no work, as the power of two of processor cycles; 26 by default
(OpenBLAS, driver/others/blas_server.c). That is 25 ms after every product of matrices, in which llama.cpp shares the
processors with them; with 16 it is 25 us (measured: 36 and 0.04 ms of processor time on two cores)."""

WAITING_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""How OpenMP's threads wait for each other between two steps of llama.cpp: by spinning first, and then asleep."""

SPINS = "10000"
"""Turns that a thread spins before it sleeps; 300,000 by default (libgomp, env.c), which is longer than other programs
are given a processor. nano, eight answers together on two cores: with load 10 of other programs 76 tokens/s, by default
less than 20; with the machine for itself the same, also with the layers of the full-size model (15.5 tokens/s)."""

OURS = "youtu-gguf"
"""The value of that variable where this package has set it."""

CALIBRATIONS_VARIABLE = "YOUTU_GGUF_CALIBRATIONS"
"""Names the folder where calibrations are kept, in place of one in the user's data folder."""


def cuda_graphs_forbidden() -> bool:
    """Whether the user's environment turns llama.cpp's CUDA graphs off."""
    return os.environ.get(NO_CUDA_GRAPHS_VARIABLE, OURS) != OURS


def set_cuda_graphs(wanted: bool, environment: MutableMapping[str, str] = os.environ) -> None:
    """Turn llama.cpp's CUDA graphs on or off in `environment`, by default for this process and its children.

    Raises:
        InputError: They are wanted, and the user's environment turns them off.
    """
    if not wanted:
        environment.setdefault(NO_CUDA_GRAPHS_VARIABLE, OURS)
    elif cuda_graphs_forbidden():
        raise InputError(
            f"cuda_graphs=True needs an environment without {NO_CUDA_GRAPHS_VARIABLE}, which turns them off; it is "
            "set. Unset it, or leave cuda_graphs out."
        )
    else:
        environment.pop(NO_CUDA_GRAPHS_VARIABLE, None)


@contextmanager
def short_spins(environment: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """Let an OpenMP library that is loaded in the `with` block spin for a short time, unless the user says otherwise.

    It reads the environment once, when it is loaded; children do not inherit what is set here.
    """
    if any(name in environment for name in WAITING_VARIABLES):
        yield
        return
    environment[WAITING_VARIABLES[0]] = SPINS
    try:
        yield
    finally:
        environment.pop(WAITING_VARIABLES[0], None)


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
    from youtu_gguf.arguments import checked_key

    key = os.environ.get(KEY_VARIABLE) or None
    return None if key is None else checked_key(KEY_VARIABLE, key)


def notify_socket() -> str | None:
    """Return where systemd expects news of this process, if it does."""
    return os.environ.get("NOTIFY_SOCKET") or None


def default_llama_server() -> Path | None:
    """Return the llama-server named by the environment variable `YOUTU_GGUF_LLAMA_SERVER`, if it is set."""
    value = os.environ.get(LLAMA_SERVER_VARIABLE)
    return _checked(LLAMA_SERVER_VARIABLE, value) if value else None


def server_environment(api_key: str, *, cuda_graphs: bool = False) -> dict[str, str]:
    """Return the environment for a llama-server that this package starts.

    It is this process's, without the variables that change what a llama-server does (`LLAMA_...`, `MTMD_...`) and those
    of Hugging Face tools (`HF_...`), among them a token; its key is in `LLAMA_API_KEY`, where other users cannot read
    it. Without `cuda_graphs`, llama.cpp's variable that turns them off is set.

    Raises:
        InputError: `cuda_graphs`, and the environment turns them off.
    """
    scrubbed = ("LLAMA_", "MTMD_", "HF_")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(scrubbed)}
    set_cuda_graphs(cuda_graphs, kept)
    return kept | {"LLAMA_API_KEY": api_key}


def worker_environment() -> dict[str, str]:
    """Return the environment for a process that runs llama.cpp for us: this one's, and no backtrace when it crashes.

    ggml would start a debugger for one (ggml.c, `ggml_print_backtrace`), which takes seconds and may hang.
    """
    environment = {**os.environ, "GGML_NO_BACKTRACE": "1"}
    limit_blas(environment)
    return environment


def share_of_machine(threads: int, gpus: Sequence[str]) -> dict[str, str]:
    """Return the variables of a process that may use a part of the machine, where nothing else tells it which.

    Args:
        threads: Most threads of NumPy's libraries.
        gpus: Numbers or UUIDs of the GPUs that it sees, as their vendor's tools have them.
    """
    visible = ",".join(gpus) or NO_GPU
    return dict.fromkeys(BLAS_THREADS_VARIABLES, str(threads)) | dict.fromkeys(GPU_VARIABLES, visible)


def limit_blas(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep NumPy's threads within what this process may use, and let them sleep when they have no work.

    For processes of our own, before NumPy is imported: a library does not set what its host computes with. What is set
    already stays.
    """
    if not any(name in environment for name in BLAS_THREADS_VARIABLES):
        environment[BLAS_THREADS_VARIABLES[0]] = str(usable_cores())
    environment.setdefault(BLAS_TIMEOUT_VARIABLE, BLAS_TIMEOUT)


def ray_is_to_speak() -> bool:
    """Whether the user wants to see what Ray's core writes to stderr."""
    return "RAY_BACKEND_LOG_LEVEL" in os.environ


def ray_folder() -> Path:
    """Return the folder where Ray keeps its sockets and logs: that of `RAY_TMPDIR`, or the one for temporary files."""
    return _folder("RAY_TMPDIR") or Path(tempfile.gettempdir())


@contextmanager
def ray_environment(*, own: bool, environment: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """Keep Ray offline in a `with` block, and one that is started there (`own`) apart from all others.

    Ray 2.60 reports usage to its makers unless told not to. One that it starts would take its token from the user's
    home folder, or leave one there. Here it has a token of its own, and `RAY_ADDRESS`, which may name another Ray, does
    not count.
    """
    ours = {"RAY_USAGE_STATS_ENABLED": "0"}
    if own:
        ours["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # Ray sets RAY_AUTH_MODE itself where it starts a cluster and the variable is not set.
    named = (*ours, "RAY_AUTH_MODE", *(("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH") if own else ()))
    before = {name: environment.get(name) for name in named}
    if own:
        for name in named:
            environment.pop(name, None)
    environment.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value


def store_variables() -> tuple[tuple[str, str], ...]:
    """Return the variables by which libraries find object stores and the keys for them."""
    prefixes = ("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR_", "HADOOP_", "HF_")
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(prefixes)))


def data_folder() -> Path | None:
    """Return the folder for what is installed for this user, such as llama-server; None where the user has no home."""
    from platformdirs import user_data_path

    return _in_home(lambda: user_data_path("youtu-gguf", appauthor=False))


def calibrations_folder() -> Path | None:
    """Return the folder of stored calibrations: that of `YOUTU_GGUF_CALIBRATIONS`, if it is set.

    None where neither the variable nor a home folder says where.
    """
    if named := _folder(CALIBRATIONS_VARIABLE):
        return named
    data = data_folder()
    return None if data is None else data / "calibrations"


def state_folder() -> Path:
    """Return the folder for what is known of running servers, and for their logs.

    Raises:
        InputError: Neither a variable nor a home folder says where it is.
    """
    from platformdirs import user_state_path

    found = _in_home(lambda: user_state_path("youtu-gguf", appauthor=False))
    if found is None:
        raise no_home("records of servers", "XDG_STATE_HOME")
    return found


def user_units_folder() -> Path:
    """Return the folder of this user's own systemd units.

    Source: systemd.unit(5), "User Unit Search Path".

    Raises:
        InputError: Neither a variable nor a home folder says where it is.
    """
    config = _folder("XDG_CONFIG_HOME") or _in_home(lambda: Path.home() / ".config")
    if config is None:
        raise no_home("systemd units", "XDG_CONFIG_HOME")
    return config / "systemd/user"


def hub_cache() -> Path | None:
    """Return the folder where Hugging Face tools keep what they download, by the variables they read.

    None where neither a variable nor a home folder says where it is.

    Source: huggingface_hub's documentation, "Environment variables".
    """
    if named := _folder("HF_HUB_CACHE") or _folder("HUGGINGFACE_HUB_CACHE"):
        return named
    caches = _folder("XDG_CACHE_HOME") or _in_home(lambda: Path.home() / ".cache")
    home = _folder("HF_HOME") or (None if caches is None else caches / "huggingface")
    return None if home is None else home / "hub"


def no_home(what: str, variable: str) -> InputError:
    """Return the error for a folder that the user's home would hold, where there is none."""
    return InputError(
        f"expected a home folder for {what}; this user has none (HOME is not set, and no account names one). "
        f"Set {variable} to a folder."
    )


def _in_home(find: Callable[[], Path]) -> Path | None:
    try:
        found = find()
    except RuntimeError:  # of pathlib and platformdirs: there is no home
        return None
    return None if found.parts[:1] == ("~",) else found


def font_folders() -> list[Path]:
    """Return the folders where this system keeps its fonts, and this user's first.

    Sources: the XDG Base Directory Specification and fontconfig's defaults; Apple, "Font Book User Guide". Windows
    keeps the fonts of all users in its own folder, and those of one in the local application data.
    """
    if sys.platform == "win32":
        local, windows = _folder("LOCALAPPDATA"), _folder("WINDIR")
        return [*([local / "Microsoft/Windows/Fonts"] if local else ()), *([windows / "Fonts"] if windows else ())]
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - where there is no home, this is no error
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    data = _folder("XDG_DATA_HOME") or home / ".local/share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [data / "fonts", home / ".fonts", *(Path(folder) / "fonts" for folder in shared.split(":") if folder)]


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return _checked(variable, os.path.expandvars(value)) if value else None


def _checked(variable: str, value: str) -> Path:
    from youtu_gguf.arguments import checked_path

    return checked_path(variable, value)
