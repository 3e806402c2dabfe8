"""What the server says of its model, known from its files: it stays known while the model is unloaded."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from math import prod
from pathlib import PurePath
from typing import TYPE_CHECKING

from youtu_gguf.calibration.assumptions import DEFAULT
from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE
from youtu_gguf.gguf.choice import quant_of

if TYPE_CHECKING:
    from youtu_gguf.model import Model

MODEL_ID = "youtu-vl"
"""Name of the model in every protocol, whatever its files are called."""


@dataclass(frozen=True)
class ModelFacts:
    """A model that was loaded.

    Attributes:
        id: `MODEL_ID`.
        aliases: Further names of it, from its files.
        files: Bytes by name; None where they are not known.
        engine: Name of what runs it.
        has_states: Whether it computes maps.
        image_tokens: Most tokens that an image may take.
        is_calibrated: Whether its weights' details were measured, and are not the defaults.
        n_ctx: Positions of its context; None where that is not known.
        n_ctx_train: Positions that it was made for; likewise.
        n_params: Parameters of the language model; likewise.
        quantisation: How most of its weights are encoded, such as "Q8_0"; "unknown" where the file's name does not say.
        modified_at: When its file was written, in seconds since 1970; when it was loaded, where there is no file.
    """

    id: str
    aliases: tuple[str, ...]
    files: dict[str, int | None]
    engine: str
    has_states: bool
    image_tokens: int
    is_calibrated: bool
    n_ctx: int | None = None
    n_ctx_train: int | None = None
    n_params: int | None = None
    quantisation: str = "unknown"
    modified_at: float = field(default_factory=time.time)
    architectures: tuple[str, str] = (LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE)

    @classmethod
    def of(cls, model: Model) -> ModelFacts:
        """Return what is known of `model`."""
        names = dict.fromkeys(PurePath(name).name.removesuffix(".gguf") for name in list(model.files)[:1])
        aliases = tuple(name for name in names if name != MODEL_ID)
        engine = model.engine
        about = (
            *(MODEL_ID, aliases, dict(model.files)),
            *(engine.name, engine.has_states, engine.image_max_tokens, model.calibration != DEFAULT),
        )
        if model.pair is None:
            return cls(*about, model.settings.n_ctx)
        path, n_ctx_train = model.pair.model.path, model.pair.language.n_ctx_train
        return cls(
            *about,
            n_ctx=model.settings.context(n_ctx_train),
            n_ctx_train=n_ctx_train,
            n_params=sum(prod(tensor.shape) for tensor in model.pair.model.tensors.values()),
            quantisation=quant_of(path) or "unknown",
            modified_at=path.stat().st_mtime,
        )

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(filter(None, self.files.values()))

    @property
    def digest(self) -> str:
        """64 hexadecimal digits that tell it from other models: of the names and sizes of its files."""
        return hashlib.sha256(repr(sorted(self.files.items())).encode()).hexdigest()

    @property
    def parameter_size(self) -> str:
        """Its parameters in millions or billions, such as "4.1B"; "unknown" where they are not known."""
        if self.n_params is None:
            return "unknown"
        billions = self.n_params / 1e9
        return f"{billions:.1f}B" if billions >= 1 else f"{self.n_params / 1e6:.1f}M"
