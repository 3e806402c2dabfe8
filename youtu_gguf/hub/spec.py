"""Names of model pairs: how they are parsed, and which files of a repository they mean. No file is opened here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from youtu_gguf.config import MODEL_VARIABLE
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.pair import base_name, is_projector, quant_of

PREFERRED_QUANT = "Q8_0"
"""Used where a model has several encodings and none is named."""

PROJECTOR_QUANTS = ("BF16", "F16", "F32", "Q8_0")
"""Encodings of a projector in order of preference; the published one is BF16."""

NANO = "nano"
NANO_MODEL = "Youtu-VL-nano-Q8_0.gguf"
"""The small model that ships, by its short name, and its file; the projector lies beside it."""

LICENCE_NOTE = (
    "Youtu-VL comes under its own licence, which does not grant use within the European Union. Read it before you use "
    "the model: https://huggingface.co/{repository}"
)
"""Shown whenever the weights are downloaded (facts: files)."""

REMEDY = (
    f'Name a GGUF file, a folder with a pair, or "{NANO}", the small model that ships; or set {MODEL_VARIABLE} to one. '
    "Or download the published pair (6.1 GB; its licence excludes the European Union): `youtu-gguf pull`."
)

_SPEC = re.compile(
    r"(?P<repository>[a-z\d][\w.-]*/[a-z\d][\w.-]*?)(?::(?P<quant>[\w.-]+))?(?:@(?P<revision>(?!.*\.\.)[\w./-]+))?",
    re.ASCII | re.IGNORECASE,
)
_PUBLISHED = re.compile(r"youtu-vl-4b-instruct\b", re.IGNORECASE)
_PART = re.compile(r"-\d{5}-of-\d{5}$")


@dataclass(frozen=True)
class Spec:
    """A model pair on a hub: ORG/NAME, encoding of the language model, and branch, tag or commit."""

    repository: str
    quant: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """Return the spec as the user writes it."""
        quant = f":{self.quant}" if self.quant else ""
        return f"{self.repository}{quant}" + (f"@{self.revision}" if self.revision else "")


DEFAULT_SPEC = Spec(REPOSITORY, PREFERRED_QUANT)
"""Pulled where no spec is named."""


def parse_spec(text: str) -> Spec:
    """Return `text` as a spec.

    Raises:
        InputError: It is not of the form ORG/NAME[:QUANT][@REVISION].
    """
    found = _SPEC.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InputError(f"expected ORG/NAME[:QUANT][@REVISION], such as {DEFAULT_SPEC}; got {text!r}.")
    return Spec(found["repository"], found["quant"], found["revision"])


def pick(names: Sequence[str], quant: str | None) -> str | None:
    """Return the model file encoded as `quant`; without it the preferred encoding, else the first."""
    tagged = [name for name in names if _is_encoded(name, quant or PREFERRED_QUANT)]
    return next(iter(tagged if quant else [*tagged, *names]), None)


def pick_remote(names: Sequence[str], spec: Spec) -> tuple[str, str]:
    """Return the names of the language model and the projector that `spec` means among a repository's files.

    Raises:
        ModelFileError: There are none, or several fit; names the files.
    """
    ggufs = [PurePath(name) for name in names if name.lower().endswith(".gguf") and "/" not in name]
    models = [path.name for path in ggufs if not is_projector(path)]
    projectors = [path.name for path in ggufs if is_projector(path)]
    whole = [name for name in models if not _PART.search(PurePath(name).stem)]
    model = pick(whole, spec.quant)
    if model is None:
        wanted = f"a language model in {spec.quant}" if spec.quant else "a language model in one .gguf file"
        raise ModelFileError(f"expected {wanted} in {spec.repository}; {_there(models, 'model')}")
    namesakes = [name for name in projectors if base_name(PurePath(name)) == base_name(PurePath(model))] or projectors
    for quant in PROJECTOR_QUANTS:
        encoded = [name for name in namesakes if _is_encoded(name, quant)]
        if encoded:
            namesakes = encoded
            break
    if len(namesakes) != 1:
        raise ModelFileError(f"expected one projector for {model} in {spec.repository}; {_there(namesakes, 'file')}")
    return model, namesakes[0]


def is_published(name: str) -> bool:
    """Return whether a file belongs to the published model, by its name."""
    return _PUBLISHED.search(name) is not None


def _is_encoded(name: str, quant: str) -> bool:
    return quant_of(PurePath(name)) == quant.upper()


def _there(names: Sequence[str], what: str) -> str:
    if not names:
        return f"got none. Name a repository with GGUF files, such as {REPOSITORY}."
    return f"got {', '.join(names)}. Name one that is there as ORG/NAME:QUANT, or give the {what}'s path to load()."
