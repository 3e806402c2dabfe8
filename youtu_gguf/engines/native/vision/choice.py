"""Which vision tower encodes the images of a model, and the type that ours multiplies matrices as."""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gguf.constants import GGMLQuantizationType as Kind

from youtu_gguf.atomic import write_bytes
from youtu_gguf.engines.native.encoder_check import check_alike, check_encoder, image
from youtu_gguf.engines.native.llama.bindings import VERSION
from youtu_gguf.engines.native.llama.devices import features, library
from youtu_gguf.engines.native.llama.vision import MtmdTower
from youtu_gguf.engines.native.vision.ggml import Devices, functions, tensors, write
from youtu_gguf.engines.native.vision.graph import HALVES
from youtu_gguf.engines.native.vision.tower import WindowedTower
from youtu_gguf.environment import state_folder
from youtu_gguf.errors import CapabilityError, EngineError, InputError, OutputError
from youtu_gguf.facts import MAX_IMAGE_TOKENS, TOKEN_PX
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.version import __version__

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.engines.native.llama.handles import LlamaModel
    from youtu_gguf.engines.native.vision.base import VisionTower
    from youtu_gguf.gguf.pair import ModelPair

LOG = logging.getLogger("youtu_gguf")

FASTER = 1.15
"""How much faster F16 must be than F32 to be worth its rounding. Measured with one thread: F16 has 0.7 to 0.8 of the
speed of F32 on a Xeon with AVX-512, and 1.3 times its speed on an EPYC with AVX2."""
WIDE = (Kind.F32, *HALVES)
"""Types of 16 bits and more."""

TRIAL_SIDE, TRIAL_PATCHES, TRIAL_ROUNDS, TRIAL_NODES = 1152, 256, 4, 8
"""Matrix, patches and rounds of that measurement, 0.1 s in all, and most nodes of its graph."""


def open_tower(pair: ModelPair, model: LlamaModel, settings: Settings) -> VisionTower:
    """Open the vision tower that `settings.vision` names.

    "windowed" is our own: its functions of ggml must be there, the projector's tensors must be of types it computes
    with, and it must give llama.cpp's embeddings of a small image to a cosine of 0.9999, or 0.998 where the file is
    quantised. For that llama.cpp's own tower is loaded once and freed. That the comparison passed is remembered in the
    user's state folder for this projector, build of llama.cpp and device, so that the next load need not repeat it.

    "mtmd" is llama.cpp's own. "auto" is "windowed", or "mtmd" where that fails; a warning in the log then says why.

    On a GPU the tower must also pass `check_encoder`.

    Raises:
        CapabilityError: "windowed", and this llama.cpp or this file cannot be used in this way.
        EngineError: llama.cpp refuses the projector, there is no room for it, or a check failed.
        ModelFileError: The projector can no longer be read.
    """
    if settings.vision != "mtmd":
        try:
            return _checked(_windowed(pair, model, settings), model, settings)
        except (CapabilityError, EngineError) as exc:
            if settings.vision == "windowed":
                raise
            LOG.warning("images are encoded by llama.cpp's own vision tower, which takes longer: %s", exc)
    return _checked(_mtmd(pair, model, settings), model, settings)


def compute_kind() -> Kind:
    """Return the type that matrices of 16 bits are multiplied as on this processor.

    F32, which loses nothing of the weights: with AVX-512 it is the fastest, as the kernels for BF16 and F16 convert
    what they read. With AVX2 alone it depends on the processor, so both are measured, once per process. ARM's kernels
    for F16 also add up in F16, so they are never used.
    """
    words = set(features())
    return _measured_kind() if "F16C" in words and "AVX512" not in words else Kind.F32


@cache
def _measured_kind() -> Kind:
    with closing(Devices(None, 1, TRIAL_NODES)) as devices:
        times = {kind: min(_times_of(kind, devices)) for kind in (Kind.F32, Kind.F16)}
    return Kind.F16 if FASTER * times[Kind.F16] < times[Kind.F32] else Kind.F32


def _times_of(kind: Kind, devices: Devices) -> list[float]:
    """Return the processor time of each of some matrix products."""
    g, times = functions(), []
    with tensors(2) as context, tensors(TRIAL_NODES, TRIAL_NODES) as of_graph:
        matrix = g.new_tensor_2d(context, kind, TRIAL_SIDE, TRIAL_SIDE)
        patches = g.new_tensor_2d(context, Kind.F32, TRIAL_SIDE, TRIAL_PATCHES)
        buffer = devices.allocate(context)
        try:
            for tensor in (matrix, patches):
                write(tensor, np.zeros(g.nbytes(tensor), np.uint8))
            graph = g.new_graph_custom(of_graph, TRIAL_NODES, False)
            g.build_forward_expand(graph, g.mul_mat(of_graph, matrix, patches))
            for _ in range(TRIAL_ROUNDS):
                started = time.process_time()
                devices.run(graph)
                times.append(time.process_time() - started)
        finally:
            g.backend_buffer_free(buffer)
    return times


def _kind_for(pair: ModelPair) -> Kind:
    """Return the type for this projector; without matrices of 16 bits it makes no difference, so nothing is timed."""
    has_halves = any(info.type in HALVES for info in pair.projector.tensors.values())
    return compute_kind() if has_halves else Kind.F32


def _mtmd(pair: ModelPair, model: LlamaModel, settings: Settings) -> MtmdTower:
    return MtmdTower(pair.projector.path, pair.vision, model, settings)


def _checked(tower: VisionTower, model: LlamaModel, settings: Settings) -> VisionTower:
    """Check a tower whose images a GPU encodes; close it if that fails."""
    if model.placement.projector is None:
        return tower
    with ExitStack() as stack:
        stack.callback(tower.close)
        check_encoder(tower.encode, settings.image_max_tokens, cuda_graphs=settings.cuda_graphs)
        stack.pop_all()
    return tower


def _windowed(pair: ModelPair, model: LlamaModel, settings: Settings) -> WindowedTower:
    """Open our own tower, and compare it with llama.cpp's unless that was done before."""
    device, kind = model.placement.projector, _kind_for(pair)
    record = _record(pair, device, kind)
    with ExitStack() as stack:
        tower = WindowedTower(pair.projector, pair.vision, device, settings.n_threads, kind)
        stack.callback(tower.close)
        if record is None or not record.exists():
            _compare(tower, pair, model, settings)
            _remember(record, pair)
        stack.pop_all()
    return tower


def _compare(tower: WindowedTower, pair: ModelPair, model: LlamaModel, settings: Settings) -> None:
    """Encode a small image with both towers. It has windows of two sizes, and unlike numbers of rows and columns.

    Raises:
        EngineError: They differ, or llama.cpp refuses the projector.
    """
    side = pair.vision.window_px // TOKEN_PX
    sample = image((side + (side + 1) // 2, 3), 0)
    roomy = replace(settings, image_max_tokens=max(MAX_IMAGE_TOKENS, sample.grid.n_tokens))
    with closing(_mtmd(pair, model, roomy)) as theirs:
        quantised = any(info.type not in WIDE for info in pair.projector.tensors.values())
        check_alike(tower.encode(sample), theirs.encode(sample), quantised=quantised)


def _record(pair: ModelPair, device: str | None, kind: Kind) -> Path | None:
    """Return the file whose existence says that a comparison has passed; None where this user has no folder for it."""
    build = library().stat()
    parts = (__version__, VERSION, library(), build.st_size, build.st_mtime_ns, features(), device, kind.name)
    name = hashlib.blake2b(repr((fingerprint(pair.projector), *parts)).encode(), digest_size=16).hexdigest()
    try:
        return state_folder() / "vision" / name
    except InputError:
        return None


def _remember(record: Path | None, pair: ModelPair) -> None:
    """Write that a comparison has passed; where that is impossible, the next load compares again."""
    if record is None:
        return
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(record, f"{pair.projector.path.name} encodes images as mtmd does\n".encode(errors="replace"))
    except (OSError, OutputError) as exc:
        LOG.info("the next load will check the vision tower again: %s", exc)
