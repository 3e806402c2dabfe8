"""Owner of the projector: prepared pixels in, one embedding per image token out."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf import machine
from youtu_gguf.engines.native.encoder_check import check_encoder
from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.bindings import mtmd
from youtu_gguf.engines.native.llama.devices import handle_of
from youtu_gguf.engines.native.llama.handles import LlamaModel
from youtu_gguf.engines.native.llama.memory import EncoderMemory, check_image
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.types import PreparedImage


class VisionTower:
    """The vision tower and projector of one GGUF file, whose vision tower is `width` wide."""

    def __init__(self, path: Path, width: int, model: LlamaModel, settings: Settings) -> None:
        self._n_embd = model.n_embd
        params = mtmd.mtmd_context_params_default()
        device = model.placement.projector
        self._memory = EncoderMemory(width, on_device=device is not None)
        params.use_gpu = device is not None
        params.device = None if device is None else handle_of(device)
        params.print_timings = False
        params.n_threads = settings.n_threads
        params.warmup = False
        params.image_max_tokens = settings.image_max_tokens
        self.handle: Any = mtmd.mtmd_init_from_file(os.fsencode(path), model.handle, params)
        if not self.handle:
            raise EngineError(
                f"llama.cpp could not load the projector {path}.{bindings.recent_warnings()}{model.placement.remedy}"
            )
        if device is not None:
            self._check(settings)

    def _check(self, settings: Settings) -> None:
        try:
            check_encoder(self.encode, settings.image_max_tokens, cuda_graphs=settings.cuda_graphs)
        except BaseException:
            self.close()
            raise

    def encode(
        self,
        image: PreparedImage,
        *,
        make_room: Callable[[], None] = lambda: None,
        between: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> F32:
        """Return the (n_tokens, n_embd) embeddings of the image tokens in raster order.

        `make_room` is called where memory is short, to free what only saves time; `between` before and after the work,
        with the parts that are done and all parts. It may raise, which ends the encoding.

        Raises:
            EngineError: The image needs more memory than is free, or llama.cpp failed.
        """
        between(0, 1)
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
            if mtmd.mtmd_encode_chunk(self.handle, chunk) != 0:
                raise EngineError(f"llama.cpp could not encode the image.{bindings.recent_warnings()}")
            self._memory.keep(n)
            pointer = mtmd.mtmd_get_output_embd(self.handle)
            embeddings: F32 = np.ctypeslib.as_array(pointer, shape=(n, self._n_embd)).copy()
        between(1, 1)
        return embeddings

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
