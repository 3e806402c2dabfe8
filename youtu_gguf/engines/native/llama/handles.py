"""Owners of llama.cpp's handles; each is freed once, children before parents. They must not know images or prompts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from youtu_gguf.engines.native.llama import bindings
from youtu_gguf.engines.native.llama.batch import ALL, NONE, Batch, Run
from youtu_gguf.engines.native.llama.bindings import HiddenWay, lib
from youtu_gguf.engines.native.llama.compute import ComputeThread
from youtu_gguf.engines.native.llama.devices import features, handles_of
from youtu_gguf.engines.native.llama.memory import N_SEQUENCES
from youtu_gguf.engines.native.llama.placement import Placement
from youtu_gguf.engines.native.llama.tokenizer import Tokenizer
from youtu_gguf.errors import EngineError
from youtu_gguf.types import F32, U8, ProgressFn

if TYPE_CHECKING:
    from youtu_gguf.config import Settings

PADDING = N_SEQUENCES - 1
"""The sequence of the tokens that fill up a batch; empty between decodes."""

SHORT = 60
"""Most tokens of a batch in which the numbers of a token must not depend on the other tokens. From 64 tokens on,
llama.cpp's attention on processors uses another kernel, which rounds differently. Below that the numbers of a token are
identical to the last bit whatever else is in the batch, in Q8_0; not in K-quants (docs/quantisation.md)."""

TILE = 4
"""Tokens that llama.cpp's matrix kernels for processors take at a time. A remainder is slow: at full size 8 tokens take
0.5 s, 7 tokens 0.7 s (scripts/bench/parts.py --full)."""

TAPLESS_SLICE = 64
"""Image tokens decoded at a time without the tap: at full size the 283,386 logits of each take 1.13 MB."""

LOAD_SHARE = 80
"""Percent of loading that is done when the weights of the language model are loaded; context and projector follow."""

_NO_KV_SLOT = 1  # the status of llama_decode when the cache is full
_PIECE_BYTES = 256


class FullError(EngineError):
    """The cache has no room for a batch."""


AMX = "AMX_INT8"
"""The matrix instructions of some Intel processors, among the features that llama.cpp reports."""


def _check_repack() -> None:
    """Raise EngineError where llama.cpp would end the process.

    With AMX it finds no place for an operation on rearranged weights, and aborts while it makes the context
    (llama-cpp-python 0.3.36, nano in Q4_0).
    """
    if AMX in features():
        raise EngineError(
            "expected a llama.cpp that can rearrange weights for this processor (repack=True); with its AMX "
            "instructions, this one would end the process. Leave repack off."
        )


class LlamaModel:
    """A language model's weights and vocabulary."""

    def __init__(self, path: Path, settings: Settings, placement: Placement, progress: ProgressFn) -> None:
        bindings.decide_cuda_graphs(settings.cuda_graphs)
        bindings.start()
        if settings.repack:
            _check_repack()
        self.placement = placement
        devices = handles_of(placement.devices)
        params = lib.llama_model_default_params()
        params.devices = ctypes.cast(devices, ctypes.c_void_p)
        params.n_gpu_layers = placement.n_gpu_layers
        params.use_extra_bufts = settings.repack
        if settings.repack:  # weights rearranged from a mapped file would be in memory twice
            params.load_mode = lib.LLAMA_LOAD_MODE_NONE

        raised: list[BaseException] = []

        @lib.llama_progress_callback  # type: ignore[untyped-decorator]
        def report(fraction: float, _user_data: object) -> bool:
            try:
                progress("load", round(fraction * LOAD_SHARE), 100)
            except BaseException as exc:  # noqa: BLE001 - raised below: ctypes would drop it
                raised.append(exc)
            return not raised  # False ends the loading

        params.progress_callback = report
        self.handle: Any = lib.llama_model_load_from_file(os.fsencode(path), params)
        if raised:
            self.close()
            bindings.recent_warnings()
            raise raised.pop()
        if not self.handle:
            raise EngineError(f"llama.cpp could not load {path}.{bindings.recent_warnings()}{placement.remedy}")
        self.vocab: Any = lib.llama_model_get_vocab(self.handle)
        self.tokenizer = Tokenizer(self.vocab)
        self._pieces: dict[int, bytes] = {}
        self.n_embd: int = lib.llama_model_n_embd(self.handle)
        self.n_vocab: int = lib.llama_vocab_n_tokens(self.vocab)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Return token ids; with `special`, `<|...|>` and other special tokens in `text` become single tokens.

        Raises:
            InputError: A word in `text` is so long that llama.cpp would end the process.
        """
        return self.tokenizer.ids(text, special=special)

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token, which may hold parts of UTF-8 characters."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._ask_piece(token)
        return known

    def _ask_piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        n = lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, True)
        if n < 0:
            buffer = ctypes.create_string_buffer(-n)
            n = lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, True)
        return buffer.raw[:n]

    def is_control(self, token: int) -> bool:
        """Whether `token` is a control token, which llama.cpp does not find in plain text."""
        return bool(lib.llama_vocab_is_control(self.vocab, token))

    def ends(self, token: int) -> bool:
        """Whether `token` ends an answer."""
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    def close(self) -> None:
        """Free the model. Close all of its contexts first."""
        if self.handle:
            lib.llama_model_free(self.handle)
            self.handle = None


class LlamaContext:
    """The cache of decoded positions, and the logits and states of the last decode.

    Attributes:
        n_decodes: Batches that were decoded.
    """

    def __init__(self, model: LlamaModel, settings: Settings, n_ctx: int, way: HiddenWay) -> None:
        self._model = model
        self.way = way
        self.n_ctx = n_ctx
        self.n_decodes = 0
        self.slice = min(settings.n_batch, n_ctx)
        self.pads = not model.placement.devices
        self.handle: Any = lib.llama_init_from_model(model.handle, self._params(settings))
        if not self.handle:
            raise EngineError(
                f"llama.cpp could not make a context of {n_ctx} positions.{bindings.recent_warnings()}"
                f"{model.placement.remedy or ' Lower n_ctx if memory is short.'}"
            )
        in_a_thread = settings.n_threads > 1 and not model.placement.devices
        self._thread = ComputeThread() if in_a_thread else None
        self._memory = lib.llama_get_memory(self.handle)
        self.tokens = Batch(self.slice)
        self.embeddings = Batch(self.slice, model.n_embd)
        if way == "nextn":
            bindings.set_tap(self.handle, True)

    def _params(self, settings: Settings) -> Any:
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_ctx
        params.n_batch = params.n_ubatch = self.slice
        params.n_seq_max = N_SEQUENCES
        # Bounds the logits buffer of llama.cpp, 1.13 MB per output at full size; it requires one output per sequence.
        params.n_outputs_max = N_SEQUENCES if self.way == "nextn" else TAPLESS_SLICE
        params.n_threads = params.n_threads_batch = settings.n_threads
        params.kv_unified = True  # branches share the cells of their prefix
        params.pooling_type = lib.LLAMA_POOLING_TYPE_NONE
        return params

    def decode_runs(self, runs: Sequence[Run]) -> bool:
        """Decode tokens of several sequences in one batch, at most `slice`; return False if the cache is full."""
        n = sum(len(run.content) for run in runs)
        n_padding = -n % TILE
        if not self.pads or not n_padding or not TILE < n + n_padding <= min(SHORT, self.slice):
            return self.decode(self.tokens.fill(*runs))
        padding = Run([0] * n_padding, 0, PADDING, NONE)
        decoded = self.decode(self.tokens.fill(*runs, padding))
        self.drop(PADDING)
        return decoded or self.decode(self.tokens.fill(*runs))  # the batch may fit without padding

    def decode_prefix_tokens(self, tokens: Sequence[int], start: int, sequence: int, outputs: slice = NONE) -> int:
        """Decode `tokens` of a prefix; return the number of tokens in the last batch.

        No token is drawn after them, so by default the logits are not computed.

        Raises:
            FullError: The cache is full.
        """
        n_last = 0
        for first in range(0, len(tokens), self.slice):
            part = tokens[first : first + self.slice]
            self._decode_prefix(self.tokens.fill(Run(part, start + first, sequence, outputs)))
            n_last = len(part)
        return n_last

    def decode_last_state(self, tokens: Sequence[int], start: int, sequence: int) -> F32:
        """Decode `tokens` of a prefix, at least one; return the (1, n_embd) final state of the last of them.

        Raises:
            EngineError: The cache is full, or llama.cpp left no states.
        """
        tapped = self.way == "nextn"  # the tap keeps the states of all tokens; without it only outputs have states
        step = min(self.slice, TAPLESS_SLICE)
        first = 0 if tapped else (len(tokens) - 1) // step * step
        self.decode_prefix_tokens(tokens[:first], start, sequence)
        with self._keeping_states():  # without the tap llama.cpp makes every token an output, whatever is asked for
            n_last = self.decode_prefix_tokens(tokens[first:], start + first, sequence, NONE if tapped else ALL)
            return self._read_states(n_last)[-1:]

    def decode_states(self, embeddings: F32, start: int, progress: ProgressFn, sequence: int) -> F32:
        """Decode (n, n_embd) embeddings of a prefix's image tokens; return their (n, n_embd) final states.

        Raises:
            EngineError: The cache is full, or llama.cpp left no states.
        """
        hidden = np.empty_like(embeddings)
        step, outputs = self.slice, NONE
        if self.way == "embeddings":
            step, outputs = min(self.slice, TAPLESS_SLICE), ALL
        with self._keeping_states():
            for first in range(0, len(embeddings), step):
                progress("prefill", first, len(embeddings))
                part = embeddings[first : first + step]
                self._decode_prefix(self.embeddings.fill(Run(part, start + first, sequence, outputs)))
                hidden[first : first + step] = self._read_states(len(part))
        progress("prefill", len(embeddings), len(embeddings))
        return hidden

    @contextmanager
    def _keeping_states(self) -> Iterator[None]:
        """Keep the states of outputs within a `with` block; the tap keeps the states of every decode without this."""
        if self.way == "embeddings":
            lib.llama_set_embeddings(self.handle, True)
        try:
            yield
        finally:
            if self.way == "embeddings":
                lib.llama_set_embeddings(self.handle, False)

    def _decode_prefix(self, batch: Any) -> None:
        if not self.decode(batch):
            raise FullError(f"the cache of n_ctx={self.n_ctx} positions is full. Raise n_ctx.")

    def _read_states(self, n: int) -> F32:
        pointer = bindings.read_tap(self.handle) if self.way == "nextn" else lib.llama_get_embeddings(self.handle)
        if not pointer:
            raise EngineError(f"llama.cpp returned no hidden states ({self.way!r}).{bindings.recent_warnings()}")
        return np.ctypeslib.as_array(pointer, shape=(n, self._model.n_embd)).copy()

    def decode(self, batch: Any) -> bool:
        """Decode a filled batch; return False if the cache is full."""
        if self._thread is None:
            status = lib.llama_decode(self.handle, batch)
        else:
            status = self._thread.call(lib.llama_decode, self.handle, batch)
        if status == _NO_KV_SLOT:
            return False
        if status != 0:
            raise EngineError(f"llama_decode failed with status {status}.{bindings.recent_warnings()}")
        self.n_decodes += 1
        return True

    def logits(self, index: int = -1) -> F32:
        """Return the (n_vocab,) logits of the token at `index` of the last batch; the next decode overwrites them."""
        pointer = lib.llama_get_logits_ith(self.handle, index)
        if not pointer:
            raise EngineError(f"llama.cpp left no logits for token {index} of the batch.{bindings.recent_warnings()}")
        return np.ctypeslib.as_array(pointer, shape=(self._model.n_vocab,))

    def share(self, source: int, sequence: int, start: int = -1, stop: int = -1) -> None:
        """Let `sequence` share the cells of `source` at positions `start` to `stop`, by default all; uses no memory."""
        lib.llama_memory_seq_cp(self._memory, source, sequence, start, stop)

    def save(self, sequence: int) -> memoryview:
        """Return the keys and values of `sequence`, as llama.cpp writes them; read-only."""
        data = np.empty(lib.llama_state_seq_get_size(self.handle, sequence), np.uint8)
        if lib.llama_state_seq_get_data(self.handle, _pointer(data), len(data), sequence) != len(data):
            raise EngineError(f"llama.cpp could not copy a sequence of {len(data)} bytes.{bindings.recent_warnings()}")
        return data.data.toreadonly()

    def restore(self, sequence: int, data: bytes | memoryview) -> bool:
        """Fill the empty `sequence` with the bytes that `save` returned; return False if the cache has no room."""
        pointer = _pointer(np.frombuffer(data, np.uint8))
        return bool(lib.llama_state_seq_set_data(self.handle, pointer, len(data), sequence))

    def drop(self, sequence: int, start: int = -1) -> None:
        """Empty `sequence`, from position `start` on if given; cells that it shares with others stay."""
        if self.handle:
            lib.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def close(self) -> None:
        """Free the context and its batches."""
        if self.handle:
            self.tokens.close()
            self.embeddings.close()
            lib.llama_free(self.handle)
            self.handle = None
            if self._thread is not None:
                self._thread.close()


def _pointer(data: U8) -> Any:
    return data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
