"""llama.cpp's own vision tower, mtmd: prepared pixels in, one embedding per image token out."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf import machine
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import ggml, lib, mtmd
from youtu_gguf.engines.native.llama.devices import handle_of
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.memory import EncoderMemory, check_image
from youtu_gguf.engines.native.vision.base import Between, finite, no_pause
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.gguf.vision import VisionFacts
    from youtu_gguf.types import PreparedImage


_LAYER_ENDS = re.compile(rb"ffn_down-(\d+)")
"""The name in mtmd's graph of the last matrix product of a layer (`build_ffn` in tools/mtmd/clip.cpp)."""


class MtmdTower:
    """The vision tower and projector of one GGUF file, computed by mtmd. One thread at a time may use it.

    Args:
        path: The projector's file.
        facts: What `check_vision` found in it.
        model: The language model, whose placement names the device.
        settings: Threads and the largest image.

    Raises:
        EngineError: llama.cpp refuses the file.
    """

    name = "mtmd"

    def __init__(self, path: Path, facts: VisionFacts, model: LlamaModel, settings: Settings) -> None:
        self._n_embd = model.n_embd
        params = mtmd.mtmd_context_params_default()
        device = model.placement.projector
        self._n_layer = facts.n_layer
        self._between: Between = no_pause
        self._raised: BaseException | None = None
        self._callback = lib.ggml_backend_sched_eval_callback(self._observe)  # mtmd keeps a pointer to it
        self._memory = EncoderMemory(facts.n_embd, on_device=device is not None)
        params.use_gpu = device is not None
        params.device = None if device is None else handle_of(device)
        params.print_timings = False
        params.n_threads = settings.n_threads
        params.warmup = False
        params.image_max_tokens = settings.image_max_tokens
        params.cb_eval = self._callback
        self.handle: Any = mtmd.mtmd_init_from_file(os.fsencode(path), model.handle, params)
        if not self.handle:
            raise EngineError(
                f"llama.cpp could not load the projector {path}.{bindings.recent_warnings()}{model.placement.remedy}"
            )

    def encode(
        self, image: PreparedImage, make_room: Callable[[], None] = lambda: None, between: Between = no_pause
    ) -> F32:
        """Return the (n_tokens, n_embd) embeddings of the image tokens in raster order.

        Args:
            image: The image.
            make_room: Called where memory is short, to free what only saves time.
            between: Called after each layer. Whatever it raises is raised here, when mtmd has ended; an image that is
                encoded afterwards gives what it would have given without.

        Raises:
            EngineError: The image needs more memory than is free, llama.cpp failed, or the result is not finite.
        """
        needed = self._memory.needed(image.grid.n_tokens)
        if needed > machine.usable_memory().free:
            make_room()
        check_image(image.grid.n_tokens, needed, machine.usable_memory().free)
        with self._image_chunk(image) as chunk:
            n = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
            if n != image.grid.n_tokens:
                raise EngineError(
                    f"a {image.size.width}x{image.size.height} px image must give {image.grid.n_tokens} image tokens; "
                    f"llama.cpp made {n}, so it has resized the image. Check image_max_tokens."
                )
            self._encode(chunk, between)
            self._memory.keep(n)
            pointer = mtmd.mtmd_get_output_embd(self.handle)
            return finite(np.ctypeslib.as_array(pointer, shape=(n, self._n_embd)).copy())

    def _encode(self, chunk: Any, between: Between) -> None:
        """Let mtmd encode a chunk. It reports success even when the callback has stopped it."""
        self._between, self._raised = between, None
        try:
            status = mtmd.mtmd_encode_chunk(self.handle, chunk)
            if self._raised is not None:
                raise self._raised
            if status != 0:
                raise EngineError(f"llama.cpp could not encode the image.{bindings.recent_warnings()}")
        finally:
            self._between, self._raised = no_pause, None

    def _observe(self, tensor: int, ask: bool, _user_data: object) -> bool:
        """Answer ggml's scheduler: which tensors to stop at, and then whether to go on."""
        if self._between is no_pause:
            return not ask
        found = None
        try:
            found = _LAYER_ENDS.match(ggml("ggml_get_name", ctypes.c_char_p)(ctypes.c_void_p(tensor)))
            if found and not ask and self._raised is None:
                self._between(int(found[1]) + 1, self._n_layer)
        except BaseException as exc:  # noqa: BLE001 - raised in `_encode`: ctypes would drop it
            self._raised = exc
        return found is not None if ask else self._raised is None

    @contextmanager
    def _image_chunk(self, image: PreparedImage) -> Iterator[Any]:
        """Yield mtmd's chunk for `image`, which is valid within the `with` block."""
        pixels = image.rgb.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        bitmap = mtmd.mtmd_bitmap_init(image.size.width, image.size.height, pixels)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            self._tokenize_marker(bitmap, chunks)
            kinds = {mtmd.mtmd_input_chunk_get_type(c): c for c in _items(chunks)}
            if mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE not in kinds:
                raise EngineError("llama.cpp made no image tokens from the image.")
            yield kinds[mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE]
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)

    def _tokenize_marker(self, bitmap: Any, chunks: Any) -> None:
        marker = mtmd.mtmd_default_marker()
        text = mtmd.mtmd_input_text(text=marker, text_len=len(marker), add_special=False, parse_special=True)
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        if mtmd.mtmd_tokenize(self.handle, chunks, ctypes.byref(text), bitmaps, 1) != 0:
            raise EngineError(f"llama.cpp could not preprocess the image.{bindings.recent_warnings()}")

    def close(self) -> None:
        """Free the projector."""
        if self.handle:
            mtmd.mtmd_free(self.handle)
            self.handle = None


def _items(chunks: Any) -> Iterator[Any]:
    for i in range(mtmd.mtmd_input_chunks_size(chunks)):
        yield mtmd.mtmd_input_chunks_get(chunks, i)
