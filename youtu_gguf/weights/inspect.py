"""What a GGUF file is, from its header alone: kind, sizes, encodings, tokens, and whether this package can use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import Keys

from youtu_gguf.arguments import checked_path
from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE
from youtu_gguf.gguf.header import Header, TensorInfo, read_header
from youtu_gguf.gguf.language import LanguageFacts
from youtu_gguf.gguf.pair import check_headers, check_model, check_projector
from youtu_gguf.gguf.vision import VisionFacts
from youtu_gguf.gguf.vocabulary import Inventory, take_inventory
from youtu_gguf.weights.slim import COUNT_KEY

GROUPS = {
    LANGUAGE_ARCHITECTURE: (
        ("norms", ("norm",)), ("attention", (".attn_",)), ("feed-forward", (".ffn_",)), ("embedding", ("token_embd.",)),
        ("head", ("output.",)),
    ),
    PROJECTOR_ARCHITECTURE: (
        ("biases", (".bias",)), ("norms", ("norm", ".ln", "_ln")), ("projector", ("mm.",)), ("patches", ("patch",)),
        ("attention", (".attn_",)), ("feed-forward", (".ffn_",)),
    ),
}  # fmt: skip
"""Names of groups of tensors, and what is in the names of their tensors; the first that fits counts."""


@dataclass(frozen=True)
class Group:
    """Tensors of one purpose: how many, how many of them in which encoding, bytes."""

    name: str
    n_tensors: int
    encodings: Mapping[str, int]
    n_bytes: int


@dataclass(frozen=True)
class Inspection:
    """What one file is.

    Attributes:
        kind: "language model", "projector", or "other".
        name: `general.name`.
        encoding: That of most bytes.
        facts: Sizes; None where the file cannot be used.
        tokens: What the token list holds; of a language model only.
        chat_template: As in the file; None without one.
        n_dropped: Codebook entries that `slim` has dropped.
        problem: Why this package cannot use the file, alone or with the other; None where it can.
        partner: The file it was checked with.
    """

    path: Path
    n_bytes: int
    architecture: str
    kind: str
    name: str
    encoding: str
    groups: tuple[Group, ...]
    facts: LanguageFacts | VisionFacts | None
    tokens: Inventory | None
    chat_template: str | None
    n_dropped: int
    problem: str | None
    partner: Path | None = None


def inspect(path: str | Path, partner: str | Path | None = None) -> Inspection:
    """Describe a file from its header alone.

    Args:
        path: A GGUF file of any kind.
        partner: The other file of the pair, in either order; whether the two belong together is then checked as well.

    Raises:
        ModelFileError: It is missing, not a GGUF file, damaged or cut short.
    """
    header = read_header(checked_path("path", path))
    partner = None if partner is None else checked_path("partner", partner)
    kinds = {LANGUAGE_ARCHITECTURE: "language model", PROJECTOR_ARCHITECTURE: "projector"}
    kind = kinds.get(header.architecture, "other")
    facts: LanguageFacts | VisionFacts | None = None
    problem = None
    try:
        facts = check_projector(header) if kind == "projector" else check_model(header)
        if partner is not None:
            other = read_header(partner)
            check_headers(*((other, header) if kind == "projector" else (header, other)))
    except ModelFileError as exc:
        problem = str(exc)
    template = header.metadata.get(Keys.Tokenizer.CHAT_TEMPLATE)
    n_dropped = header.metadata.get(COUNT_KEY, 0)
    return Inspection(
        path=header.path,
        n_bytes=header.file_size,
        architecture=header.architecture,
        kind=kind,
        name=str(header.metadata.get(Keys.General.NAME, "")),
        encoding=main_encoding(header),
        groups=tuple(_groups(header)),
        facts=facts,
        tokens=_tokens(header) if kind == "language model" else None,
        chat_template=template if isinstance(template, str) else None,
        n_dropped=n_dropped if isinstance(n_dropped, int) else 0,
        problem=problem,
        partner=partner,
    )


def _tokens(header: Header) -> Inventory | None:
    try:
        return take_inventory(header)
    except ModelFileError:  # `problem` says so
        return None


def main_encoding(header: Header) -> str:
    """Return the encoding of most bytes of a file's tensors."""
    sizes: Counter[str] = Counter()
    for tensor in header.tensors.values():
        sizes[tensor.type.name] += tensor.n_bytes
    return sizes.most_common(1)[0][0] if sizes else ""


def _groups(header: Header) -> list[Group]:
    members: dict[str, list[TensorInfo]] = {}
    for tensor in header.tensors.values():
        members.setdefault(_group(header.architecture, tensor.name), []).append(tensor)
    return [
        Group(name, len(found), dict(Counter(tensor.type.name for tensor in found)), sum(t.n_bytes for t in found))
        for name, found in members.items()
    ]


def _group(architecture: str, name: str) -> str:
    for group, parts in GROUPS.get(architecture, ()):
        if any(part in name for part in parts):
            return group
    return "other"
