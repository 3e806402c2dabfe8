"""Checks whether everything that a user needs works on this machine. A failed check does not stop the others.

What runs code of llama.cpp first runs in a child process, because a library that was built for another processor, or a
broken driver, ends its process or hangs. `main` is what the child runs.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from youtu_gguf import machine
from youtu_gguf.environment import NO_CUDA_GRAPHS_VARIABLE, cuda_graphs_forbidden, default_model, hub_cache
from youtu_gguf.errors import CapabilityError, EngineError, ModelFileError, YoutuError
from youtu_gguf.hub.models import find, list_unfinished
from youtu_gguf.model import load
from youtu_gguf.weights.plan import plan

if TYPE_CHECKING:
    from youtu_gguf.engines.native.llama.placement import Device
    from youtu_gguf.gguf.header import Header
    from youtu_gguf.gguf.pair import ModelPair

PACKAGES = ("llama-cpp-python", "gguf", "huggingface-hub", "numpy", "opencv-python-headless", "pillow", "psutil")
MIN_FREE_DISK = 7_000_000_000
"""Space for the published pair, with a margin."""
MAX_STATE_DIFFERENCE = 0.05
"""Largest difference between the two ways of reading hidden states; values of nano's go to about 10."""

LIBRARY = "llama.cpp"
REMEDIES = {
    LIBRARY: "pip install --force-reinstall --no-cache-dir llama-cpp-python (needs a C++ compiler)",
    "nano": "Reinstall youtu_gguf and llama-cpp-python; if that does not help, report the lines above.",
}

PROBE_S = 300.0
"""Longest time for a check in a child process; compiling kernels for a new GPU may take minutes, once."""
ILLEGAL, HANG = "SIGILL", "hang"
REMEDIES_OF_ENDS = {
    ILLEGAL: "llama.cpp was built for another processor. Build it on this one: pip install --force-reinstall "
    "--no-cache-dir --no-binary llama-cpp-python llama-cpp-python",
    "SIGKILL": "Something killed it; where memory runs out, the system does. Free some and try again.",
    HANG: "A GPU's driver may hang: restart the machine or update the driver; without GPU: --device cpu.",
}
ENDS_OF_WINDOWS = {0xC000001D: ILLEGAL, 0xC0000005: "an access violation", 0xC0000409: "an abort"}
"""Exit codes that stand for a crash: NTSTATUS values in ntstatus.h."""
_CHILD = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {__name__} import main; main()"
_MARK = "doctor: "
_LAST_LINES = 3

State = Literal["ok", "note", "broken"]
Found = Iterator["Check"]


@dataclass(frozen=True)
class Check:
    """The result of one check: what was found, and what to do where something is broken or could be better."""

    name: str
    state: State
    found: str
    remedy: str = ""


def diagnose(
    model: str | PathLike[str] | None = None, mmproj: str | PathLike[str] | None = None, *, hashes: bool = False
) -> Found:
    """Check versions, llama.cpp, hidden states, devices, memory, model files, disk and llama-server.

    Args:
        model: Also check this model's files; as for `load`. None takes what `load` would take.
        mmproj: Its projector; found beside the model when None.
        hashes: Read pulled files in full and compare them with their hashes: seconds per GB.
    """
    checks: tuple[tuple[str, Callable[[], Found]], ...] = (
        ("versions", _versions),
        (LIBRARY, probe),
        ("model files", lambda: _files(model, mmproj, hashes=hashes)),
        ("memory", lambda: _memory(model, mmproj)),
        ("disk", _disk),
        ("llama-server", _server),
    )
    broken = set()
    for name, check in checks:
        if name == "memory" and LIBRARY in broken:  # it asks llama.cpp for devices
            continue
        for found in _reported(name, check):
            if found.state == "broken":
                broken.add(found.name)
            yield found


def _reported(name: str, check: Callable[[], Found]) -> Found:
    """Yield what `check` finds; an error of ours is one of its findings."""
    try:
        yield from check()
    except YoutuError as exc:
        yield Check(name, "broken", str(exc), REMEDIES.get(name, "Follow the message, then run doctor again."))


def main() -> None:
    """Run `PROBES` in this process; write a line as each begins, and one for each of its findings."""
    for name, check in PROBES.items():
        _tell({"begins": name})
        findings = list(_reported(name, check))
        for found in findings:
            _tell(asdict(found))
        if any(found.state == "broken" for found in findings):
            return


def _tell(line: dict[str, str]) -> None:
    sys.stdout.write(f"{_MARK}{json.dumps(line)}\n")
    sys.stdout.flush()


def probe() -> Found:
    """Run `PROBES` in a child process, for at most `PROBE_S` seconds.

    Yields what it finds; that it crashed, or did not end in time, is the last finding.
    """
    command = [sys.executable, "-c", _CHILD, json.dumps(sys.path)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S, check=False)
        output, errors, end = done.stdout, done.stderr, _end(done.returncode)
    except subprocess.TimeoutExpired as exc:
        output, errors, end = exc.stdout or b"", exc.stderr or b"", HANG
    name = LIBRARY
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith(_MARK):
            told = json.loads(line.removeprefix(_MARK))
            name = told.get("begins", name)
            if "begins" not in told:
                yield Check(**told)
    if end:
        words = " | ".join(errors.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])
        what = f"took more than {PROBE_S:g} s" if end == HANG else f"ended by {end}"
        remedy = REMEDIES_OF_ENDS.get(end, REMEDIES[name])
        yield Check(name, "broken", f"the process that tried it {what}{words and ': '}{words}", remedy)


def _end(code: int) -> str:
    """Return what ended a process, in a word; "" if it ended well."""
    if code < 0:
        return signal.Signals(-code).name
    return ENDS_OF_WINDOWS.get(code, f"exit code {code}") if code else ""


def _versions() -> Found:
    from youtu_gguf.version import __version__

    yield Check("youtu_gguf", "ok", f"{__version__} with Python {sys.version.split()[0]} on {platform.platform()}")
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "broken", "not installed", f"pip install {name}")
    yield Check("packages", "ok", ", ".join(found))


def _library() -> Found:
    from youtu_gguf.engines.native.llama import bindings  # an EngineError where it cannot be loaded
    from youtu_gguf.engines.native.llama.devices import devices, features, library

    yield Check(LIBRARY, "ok", f"{library()} of llama-cpp-python {bindings.VERSION}")
    yield Check("built for", "ok", "; ".join(features()))
    way = bindings.choose_way("auto")
    if way == "nextn":
        yield Check("hidden states", "ok", "read by the tap, without computing logits")
    else:
        remedy = f"pip install llama-cpp-python=={max(bindings.TAP_VERSIONS)}"
        yield Check("hidden states", "note", "read by way of outputs, which takes longer and more memory", remedy)
    yield _vision_tower()
    found = devices()
    for device in found:
        memory = f", {device.free / 1e9:.1f} of {device.total / 1e9:.1f} GB free" if device.total else ""
        yield Check("device", "ok", f"{device.name} ({device.kind}): {device.description}{memory}")
    yield from _cuda_graphs(found)


def _vision_tower() -> Check:
    """Return which vision tower encodes images, as far as it depends on the library."""
    from youtu_gguf.engines.native.llama import bindings
    from youtu_gguf.engines.native.vision.choice import compute_kind
    from youtu_gguf.engines.native.vision.ggml import functions

    try:
        functions()
    except CapabilityError as exc:
        remedy = f"pip install llama-cpp-python=={max(bindings.TAP_VERSIONS)}"
        return Check("vision tower", "note", f"llama.cpp's own, which takes longer: {exc}", remedy)
    return Check("vision tower", "ok", f"our own; this processor computes its matrices in {compute_kind().name}")


def _cuda_graphs(devices: Sequence[Device]) -> Found:
    """Say whether CUDA graphs are in force, where a device could use them; ROCm and MUSA share CUDA's code."""
    if any(device.name.startswith(("CUDA", "ROCm", "MUSA")) for device in devices):
        if cuda_graphs_forbidden():
            yield Check("CUDA graphs", "ok", f"off, by {NO_CUDA_GRAPHS_VARIABLE} in the environment")
        else:
            yield Check("CUDA graphs", "ok", "off, as images may be encoded wrongly with them (docs/gpu.md)")


def _nano() -> Found:
    """Load the small model, ask it, and compare the two ways of reading hidden states."""
    started = time.perf_counter()
    rgb = np.linspace(0, 255, 64 * 96 * 3).astype(np.uint8).reshape(64, 96, 3)
    states = []
    for way in ("auto", "embeddings"):
        with load("nano", hidden_way=way, n_ctx=512, max_tokens=8, threads=1) as model:
            scene = model.open(rgb)
            scene.ask("What is in the picture?")
            states.append(scene.patches().hidden)
    difference = float(np.abs(states[0] - states[1]).max())
    if difference > MAX_STATE_DIFFERENCE or not np.isfinite(difference):
        remedy = 'Use hidden_way="embeddings", and please report the versions above.'
        yield Check("nano", "broken", f"the two ways of reading hidden states differ by {difference:.3g}", remedy)
        return
    found = f"loads, answers, hidden states agree to {difference:.1g}: {time.perf_counter() - started:.1f} s"
    yield Check("nano", "ok", found)


PROBES: dict[str, Callable[[], Found]] = {LIBRARY: _library, "nano": _nano}
"""What runs in a child process."""


def _files(model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None, *, hashes: bool) -> Found:
    from youtu_gguf.gguf.pair import check_pair

    for path in list_unfinished():
        yield Check(
            "model files", "note", f"{path} is incomplete", "Pull the same again to resume, or `youtu-gguf rm`."
        )
    try:
        paths = find(model, mmproj)
    except ModelFileError:
        if model or default_model():
            raise
        found = "the published model is not on this machine (nano is)"
        yield Check("model files", "note", found, "youtu-gguf pull, or name your files with --model")
        return
    pair = check_pair(*paths)
    for header in (pair.model, pair.projector):
        found = f"{header.path}: {header.file_size:,} bytes, header read{_hash(header.path, hashes=hashes)}"
        yield Check("model file", "ok", found)
    yield from _tokens(pair.model)
    yield _calibration(pair)


def _hash(path: Path, *, hashes: bool) -> str:
    from youtu_gguf.hub.listing import hash_in_name, is_as_its_hash

    if hash_in_name(path) is None:
        return "; its hash is not known"
    if not hashes:
        return ", hash verified when it was pulled"
    if is_as_its_hash(path):
        return ", hash verified"
    raise ModelFileError(f"{path.resolve()} does not have the hash that it is named by. Delete it, and pull it again.")


def _tokens(model: Header) -> Found:
    from youtu_gguf.gguf.vocabulary import take_inventory

    lacking = take_inventory(model).lacking
    if lacking:
        remedy = "Take a file that was converted with the model's own tokenizer, such as the published one."
        yield Check("tokens", "broken", f"{model.path} lacks {' and '.join(lacking)}", remedy)
    else:
        yield Check("tokens", "ok", "coordinates and depth bins are there")


def _calibration(pair: ModelPair) -> Check:
    """Return whether a calibration is in use; a damaged file is a ModelFileError."""
    from youtu_gguf.calibration.storage import read_for

    stored = read_for(pair)
    if stored is None:
        return Check("calibration", "note", "none; defaults stand for what is not published", "youtu-gguf calibrate")
    values = ", ".join(f"{name} {getattr(stored.calibration, name)}" for name in stored.decided)
    return Check("calibration", "ok", f"in use, of {stored.date[:10]}: {values or 'no conclusion'}")


def _memory(model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None) -> Found:
    try:
        found = plan(*find(model, mmproj))
    except ModelFileError:  # reported with the files
        free, total = machine.usable_memory()
        yield Check("memory", "ok", f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free")
        return
    needed = found.wanted.memory.total
    text = f"{found.free / 1e9:.1f} of {found.total / 1e9:.1f} GB free; the model needs about {needed / 1e9:.1f}"
    yield Check("memory", "ok" if found.fits else "note", text, "" if found.fits else "youtu-gguf plan")
    if found.gpus:
        all_layers = found.placement.n_gpu_layers == found.placement.n_layers
        text = f"{found.gpu_memory / 1e9:.1f} GB with all layers on a GPU; where the model runs: {found.placement}"
        yield Check("GPU memory", "ok" if all_layers else "note", text, "" if all_layers else "youtu-gguf plan")


def _disk() -> Found:
    cache = hub_cache()
    if cache is None:
        yield Check("disk", "note", "this user has no home folder for downloads", "Set HF_HOME to a folder.")
        return
    free = machine.free_disk(cache)
    enough = free >= MIN_FREE_DISK
    remedy = "" if enough else "Free some before you pull a model, or set HF_HUB_CACHE to a folder on another disk."
    yield Check("disk", "ok" if enough else "note", f"{free / 1e9:.1f} GB free for {cache}", remedy)


def _server() -> Found:
    from youtu_gguf.engines.llama_server.binary import find_llama_server

    try:
        found = find_llama_server()
    except EngineError as exc:
        yield Check("llama-server", "note", str(exc), 'Needed by engine="server" only.')
    else:
        yield Check("llama-server", "ok", f"{found.path} (by {found.found_by}), version {found.version}")
