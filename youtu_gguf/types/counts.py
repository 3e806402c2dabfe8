"""What a model has done since it was loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import get_args

from youtu_gguf.types.choices import Found


def _none_found() -> Mapping[Found, int]:
    return MappingProxyType(dict.fromkeys(get_args(Found), 0))


@dataclass(frozen=True)
class Counts:
    """What a model has done since it was loaded, for all its callers together; zero where the engine does not know it.

    Attributes:
        decodes: Decodes of the language model; one moves several answers on.
        generated_tokens: Tokens of answers.
        image_tokens: Tokens of the images that were encoded.
        encode_s: Seconds of encoding images.
        prefill_s: Seconds of reading what precedes questions, and of restoring it.
        prefixes: How often what precedes a question was found in the context, in memory, on disk, or nowhere, when an
            answer or a map needed it. Of a conversation its longest known beginning counts.
    """

    decodes: int = 0
    generated_tokens: int = 0
    image_tokens: int = 0
    encode_s: float = 0.0
    prefill_s: float = 0.0
    prefixes: Mapping[Found, int] = field(default_factory=_none_found)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.decodes + other.decodes,
            self.generated_tokens + other.generated_tokens,
            self.image_tokens + other.image_tokens,
            self.encode_s + other.encode_s,
            self.prefill_s + other.prefill_s,
            MappingProxyType({found: n + other.prefixes[found] for found, n in self.prefixes.items()}),
        )
