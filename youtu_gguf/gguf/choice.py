"""Which of several model files is meant, by their names alone: one rule for hubs, folders and caches."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Generic, TypeVar

from youtu_gguf.errors import ModelFileError

LOG = logging.getLogger("youtu_gguf.files")
"""Notes on which files are used; the command line's --quiet silences it."""

MODEL_QUANTS = ("Q8_0", "BF16", "F16", "F32", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S")
"""Encodings of a language model in order of preference where none is named: Q8_0, which is published and gives the
answers of F16 in half the memory; then those with the fewest losses. Others follow by name."""

PROJECTOR_QUANTS = ("BF16", "F16", "F32", "Q8_0")
"""Encodings of a projector in order of preference; the published one is BF16. Others follow by name."""

P = TypeVar("P", bound=PurePath)

_TAG = r"(?:(?:ud|i1)-)?(?:[itm]?q\d(?:_(?:\d{1,2}|k|x*[sl]|m|nl))*|b?fp?16|fp?32|mxfp4(?:_moe)?|nvfp4)"
_QUANT = re.compile(rf"(?:^|(?<=[-_.]))(?P<quant>{_TAG})(?![a-z\d])", re.IGNORECASE)
_PART = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})$")
_MMPROJ = re.compile(r"[-_.]?mmproj[-_.]?", re.IGNORECASE)


@dataclass(frozen=True)
class Choice(Generic[P]):
    """The outcome of the rule.

    Attributes:
        best: One file where the choice is clear; several that the rule cannot tell apart; none where nothing fits.
        others: Those that fit as well, and come later in the order.
        parts: The parts of files that would fit if they were joined.
    """

    best: tuple[P, ...]
    others: tuple[P, ...] = ()
    parts: tuple[P, ...] = ()

    def only(self, role: str, place: object, remedy: str) -> P | None:
        """Return the chosen file; None where nothing fits.

        Raises:
            ModelFileError: Several fit equally well, or it has to be joined first; names the files and says what to do.
        """
        if len(self.best) == 1:
            return self.best[0]
        if self.best:
            raise ModelFileError(f"expected one {role} in {place}; got {names_of(self.best)}. {remedy}")
        if self.parts:
            raise ModelFileError(f"expected a {role} in one file in {place}; {how_to_join(self.parts[0])}")
        return None

    def noted(self, role: str, place: object, remedy: str) -> Choice[P]:
        """Log which file was chosen where there were others, once in a process; return this choice."""
        if len(self.best) == 1 and self.others:
            taken = self.best[0]
            _note_once(f"several {role}s lie in {place}: {taken.name} is used, not {names_of(self.others)}. {remedy}")
        return self


def note(text: str) -> None:
    """Log a note; bytes of a path that are not UTF-8 are written as escapes, since a log file takes no others."""
    LOG.warning("%s", text.encode(errors="backslashreplace").decode())


_note_once = lru_cache(maxsize=256)(note)


def choose_model(files: Sequence[P], quant: str | None = None) -> Choice[P]:
    """Choose the language model encoded as `quant`; without it the first in the order of `MODEL_QUANTS`.

    Among names of the same encoding the one is taken that all others begin with, as m-Q8_0 beside m-slim-Q8_0.
    """
    models = [file for file in files if not is_projector(file)]
    if quant is not None:
        wanted = _normal(quant)
        models = [file for file in models if quant_of(file) == wanted] or [
            file
            for file in models
            if (quant_of(file) or "").partition("-")[2] == wanted  # UD-Q4_K_XL for Q4_K_XL
        ]
    return _first(models, MODEL_QUANTS)


def choose_projector(files: Sequence[P], model: PurePath) -> Choice[P]:
    """Choose the projector of a language model.

    Those named like the model apart from "mmproj" and the encoding go first, else those without any name, else all;
    among these the first in the order of `PROJECTOR_QUANTS`. Projectors of several models cannot be told apart.
    """
    found = [file for file in files if is_projector(file)]
    for name in (base_name(model), ""):
        if namesakes := [file for file in found if base_name(file) == name]:
            return _first(namesakes, PROJECTOR_QUANTS)
    if len({base_name(file) for file in found}) > 1:
        return Choice(tuple(found))
    return _first(found, PROJECTOR_QUANTS)


def quant_of(path: PurePath) -> str | None:
    """Return the encoding in a model file's name, else in that of its folder, in capitals; None without one."""
    found = [*_QUANT.finditer(_PART.sub("", path.stem))]
    if found:
        return _normal(found[-1]["quant"])
    return _normal(path.parent.name) if is_quant(path.parent.name) else None


def is_quant(name: str) -> bool:
    """Return whether `name` is that of an encoding and nothing else."""
    return re.fullmatch(_TAG, name, re.IGNORECASE) is not None


def is_projector(path: PurePath) -> bool:
    """Return whether a file's name is that of a projector."""
    return "mmproj" in path.name.lower()


def base_name(path: PurePath) -> str:
    """Return the name without suffix, "mmproj", encoding and number of a part, in lower case."""
    stem = _QUANT.sub("", _PART.sub("", path.stem))
    return re.sub(r"[-_.]+", "-", _MMPROJ.sub("-", stem)).strip("-").lower()


def names_of(files: Sequence[PurePath]) -> str:
    """Return the names of files, as a message lists them."""
    return ", ".join(file.name for file in files) or "none"


def how_to_join(part: PurePath, count: int | None = None) -> str:
    """Return the end of a message about a file that is one of several parts: what it is, and how to join them."""
    found = _PART.search(part.stem)
    stem = _PART.sub("", part.stem)
    first = part.with_name(f"{stem}-00001-of-{found['count']}{part.suffix}") if found else "FIRST-PART.gguf"
    whole = part.with_name(f"{stem}.gguf") if found else "WHOLE.gguf"
    return (
        f"{part} is one of {count or int(found['count'] if found else 2)} parts. Join them with llama.cpp's tool: "
        f"`llama-gguf-split --merge {first} {whole}`, and use the joined file."
    )


def is_part(path: PurePath) -> bool:
    """Return whether a file is one of several parts, by its name."""
    return _PART.search(path.stem) is not None


def _first(files: Sequence[P], order: Sequence[str]) -> Choice[P]:
    def place(file: P) -> tuple[int, str]:
        quant = quant_of(file) or ""
        return (order.index(quant) if quant in order else len(order)), quant

    ordered = sorted(files, key=lambda file: (place(file), file))
    whole = [file for file in ordered if not is_part(file)]
    equal = [file for file in whole if place(file) == place(whole[0])]
    plain = [file for file in equal if all(base_name(other).startswith(base_name(file)) for other in equal)]
    best = plain if len(plain) == 1 else equal
    others = (file for file in whole if file not in best)
    return Choice(tuple(best), tuple(others), tuple(file for file in ordered if is_part(file)))


def _normal(quant: str) -> str:
    return quant.upper().replace("FP16", "F16").replace("FP32", "F32")
