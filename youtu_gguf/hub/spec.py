"""Names of model pairs: how they are parsed, and which files of a repository they mean. No file is opened here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from youtu_gguf.environment import MODEL_VARIABLE
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.choice import Choice, choose_model, choose_projector, how_to_join, is_projector, is_quant

PREFERRED_QUANT = "Q8_0"
"""Of the published model, where no other is named."""

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
    r"(?P<repository>[a-z\d][\w.-]*/[a-z\d][\w.-]*?)(?::(?P<quant>[\w.-]+))?(?:@(?P<revision>(?!.*(?:\.\.|//|/$))\w[\w./-]*))?",
    re.ASCII | re.IGNORECASE,
)
_PUBLISHED = re.compile(r"youtu-vl-4b-instruct\b", re.IGNORECASE)


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


def pick_remote(names: Sequence[str], spec: Spec) -> tuple[Choice[PurePosixPath], Choice[PurePosixPath]]:
    """Return the choice of the language model and that of the projector that `spec` means among a repository's files.

    The first of `best` of each is the one.

    Raises:
        ModelFileError: There are none, or several fit; names the files.
    """
    ggufs = [path for path in map(PurePosixPath, names) if path.suffix.lower() == ".gguf" and _is_offered(path)]
    model = choose_model(ggufs, spec.quant)
    if model.parts and not model.best:
        raise ModelFileError(
            f"expected a language model in one file in {spec.repository}; {how_to_join(model.parts[0])} `hf download "
            f"{spec.repository} --local-dir FOLDER` fetches the parts."
        )
    if model.only("language model", spec.repository, _name_it("model")) is None:
        wanted = f"a language model in {spec.quant}" if spec.quant else "a language model in one .gguf file"
        models = [path for path in ggufs if not is_projector(path)]
        raise ModelFileError(f"expected {wanted} in {spec.repository}; {_there(models)}")
    projector = choose_projector(ggufs, model.best[0])
    if projector.only("projector", spec.repository, _name_it("file")) is None:
        raise ModelFileError(f"expected one projector for {model.best[0]} in {spec.repository}; {_there(())}")
    return model, projector


def is_published(name: str) -> bool:
    """Return whether a file belongs to the published model, by its name."""
    return _PUBLISHED.search(name) is not None


def _is_offered(path: PurePosixPath) -> bool:
    """Return whether a file lies where models are looked for: at the top, or in a folder named by an encoding."""
    return len(path.parts) == 1 or (len(path.parts) == 2 and is_quant(path.parts[0]))  # noqa: PLR2004 - folder, name


def _there(paths: Sequence[PurePosixPath]) -> str:
    if not paths:
        return f"got none. Name a repository with GGUF files, such as {REPOSITORY}."
    return f"got {', '.join(map(str, paths))}. {_name_it('model')}"


def _name_it(what: str) -> str:
    return f"Name one that is there as ORG/NAME:QUANT, or give the {what}'s path to load()."
