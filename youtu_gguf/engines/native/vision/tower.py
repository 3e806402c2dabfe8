"""Our own vision tower: prepared pixels in, one embedding per image token out, windows computed as windows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType as Kind

from youtu_gguf import machine
from youtu_gguf.engines.native.llama.memory import WindowedMemory, check_image
from youtu_gguf.engines.native.vision.base import Between, finite, no_pause
from youtu_gguf.engines.native.vision.ggml import Devices, functions, read, tensors, write
from youtu_gguf.engines.native.vision.graph import MOST_NODES, Graph, Graphs
from youtu_gguf.engines.native.vision.weights import Weights
from youtu_gguf.engines.native.vision.windows import Windows, cut_patches, cut_windows, positions
from youtu_gguf.facts import TOKEN_PX
from youtu_gguf.gguf.header import Header
from youtu_gguf.gguf.vision import VisionFacts
from youtu_gguf.types import F32, PreparedImage

LOG = logging.getLogger("youtu_gguf")


class WindowedTower:
    """The vision tower and projector of one GGUF file, computed by a graph of our own.

    One thread at a time may use it. A processor maps the weights from the file, and has working memory during an image
    only; any other device has copies of the weights, and keeps its working memory.

    Args:
        header: The projector's header.
        facts: What `check_vision` found in it.
        device: llama.cpp's name of the device that computes; None means the processor.
        n_threads: Threads of the processor.
        compute_as: The type that matrices of 16 bits are multiplied as on a processor; None means unchanged.

    Attributes:
        compute_as: F32 from the first image on whose values exceed those of F16.

    Raises:
        CapabilityError: This llama.cpp, or this file, cannot be used in this way.
        EngineError: The device cannot be used, or has no room for the weights.
        ModelFileError: The file can no longer be read.
    """

    name = "windowed"

    def __init__(
        self, header: Header, facts: VisionFacts, device: str | None, n_threads: int, compute_as: Kind | None
    ) -> None:
        self._facts = facts
        self._device = device
        self._n_threads = n_threads
        self.compute_as = compute_as if device is None else None
        self._memory = WindowedMemory(facts.n_embd, on_device=device is not None)
        with ExitStack() as stack:
            self._kept = Devices(device, n_threads, MOST_NODES)
            stack.callback(self._kept.close)
            self._weights = Weights(header, self._kept, mapped=device is None)
            stack.callback(self._weights.close)
            self._owned = stack.pop_all()

    def encode(
        self, image: PreparedImage, make_room: Callable[[], None] = lambda: None, between: Between = no_pause
    ) -> F32:
        """Return the (n_tokens, n_embd) embeddings of the image tokens in raster order.

        Args:
            image: The image.
            make_room: Called where memory is short, to free what only saves time.
            between: Called after each layer. Whatever it raises is raised here, after the working memory is freed; an
                image that is encoded afterwards gives what it would have given without.

        Raises:
            EngineError: The image needs more memory than is free, the device failed, or the result is not finite.
        """
        needed = self._memory.needed(image.grid.n_tokens)
        if needed > machine.usable_memory().free:
            make_room()
        check_image(image.grid.n_tokens, needed, machine.usable_memory().free)
        found = self._encode(image, between)
        if self.compute_as is Kind.F16 and not np.isfinite(found).all():
            LOG.warning("values of the vision tower exceed those of F16; computing it in F32 from here on, more slowly")
            self.compute_as = Kind.F32
            found = self._encode(image, between)
        return finite(found)

    def _encode(self, image: PreparedImage, between: Between) -> F32:
        facts = self._facts
        windows = cut_windows(image.grid, facts.window_px // TOKEN_PX)
        graphs = Graphs(facts, self._weights.by_name, self.compute_as, self._keys_as)
        with self._devices() as devices, _state(devices, facts.n_embd, windows, image) as (x, places):
            self._start(devices, graphs, image, windows, x)
            for i in range(facts.n_layer):
                with _graph() as graph:
                    groups = windows.whole if i in facts.full_layers else windows.groups
                    _store(graph, graphs.layer(graph, i, x, places, groups), x)
                    devices.run(graph.handle)
                between(i + 1, facts.n_layer)
            with _graph() as graph:
                y = graphs.project(graph, x, image.grid.n_tokens)
                functions().set_output(y)
                functions().build_forward_expand(graph.handle, y)
                devices.run(graph.handle)
                found = read(y, image.grid.n_tokens, facts.n_out)
        embeddings = np.empty_like(found)
        embeddings[windows.order] = found
        return embeddings

    def _start(self, devices: Devices, graphs: Graphs, image: PreparedImage, windows: Windows, x: Any) -> None:
        """Embed the patches into `x`."""
        g, facts = functions(), self._facts
        mean, std = (np.array(values, np.float32) for values in (facts.mean, facts.std))
        patches = cut_patches(image.rgb, mean, std, windows.order)
        with _graph() as graph:
            pixels = g.new_tensor_2d(graph.context, Kind.F32, patches.shape[1], len(patches))
            g.set_input(pixels)
            _store(graph, graphs.embed(graph, pixels), x)
            devices.run(graph.handle, [(pixels, patches)])

    @property
    def _keys_as(self) -> Kind:
        """The type of keys and values: kernels of GPUs take F16 as llama.cpp has it; processors compute in F32."""
        return Kind.F32 if self._device is None else Kind.F16

    @contextmanager
    def _devices(self) -> Iterator[Devices]:
        """Yield the devices; those of a processor hold their working memory for one image only."""
        if self._device is not None:
            yield self._kept
            return
        devices = Devices(None, self._n_threads, MOST_NODES)
        try:
            yield devices
        finally:
            devices.close()

    def close(self) -> None:
        """Free weights and devices."""
        self._owned.close()


@contextmanager
def _state(devices: Devices, width: int, windows: Windows, image: PreparedImage) -> Iterator[tuple[Any, Any]]:
    """Yield the tensors that stay from layer to layer: (n_patches, width) values, and the patches' positions."""
    g = functions()
    places: npt.NDArray[np.int32] = positions(image.grid, windows.order)
    with tensors(2) as context:
        x = g.new_tensor_2d(context, Kind.F32, width, windows.n_patches)
        where = g.new_tensor_1d(context, Kind.I32, len(places))
        buffer = devices.allocate(context)
        try:
            write(where, places)
            yield x, where
        finally:
            g.backend_buffer_free(buffer)


@contextmanager
def _graph() -> Iterator[Graph]:
    """Yield an empty graph."""
    with tensors(MOST_NODES, MOST_NODES) as context:
        yield Graph(context, functions().new_graph_custom(context, MOST_NODES, False))


def _store(graph: Graph, result: Any, into: Any) -> None:
    """Let the graph copy its result into a tensor that outlives it."""
    functions().build_forward_expand(graph.handle, functions().cpy(graph.context, result, into))
