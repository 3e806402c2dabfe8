"""A language model and its projector, found on disk and checked before llama.cpp sees them.

llama.cpp ends the process on many contradictions in a file, so everything it asserts is checked here first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE
from youtu_gguf.gguf.header import Header, read_header
from youtu_gguf.gguf.language import LanguageFacts, check_language
from youtu_gguf.gguf.vision import VisionFacts, check_vision

_QUANT_TAG = re.compile(r"[-_.](?P<quant>i?q\d\w*|[tm]q\d\w*|b?f16|f32|mxfp4)$", re.IGNORECASE)

_NAMES = {LANGUAGE_ARCHITECTURE: "a language model", PROJECTOR_ARCHITECTURE: "a projector (mmproj)"}


@dataclass(frozen=True, eq=False)
class ModelPair:
    """Two files that belong together and that llama.cpp can load."""

    model: Header
    projector: Header
    language: LanguageFacts
    vision: VisionFacts


def check_pair(model_path: str | Path, mmproj_path: str | Path | None = None) -> ModelPair:
    """Read both headers and check everything that can be known without loading.

    Without `mmproj_path`, the projector is looked for beside the model once that has turned out to be a GGUF file.

    Raises:
        ModelFileError: A file is missing, broken, of another model, or the two do not belong together.
    """
    model = read_header(model_path)
    return check_headers(model, read_header(mmproj_path or find_projector(model_path)))


def check_headers(model: Header, projector: Header) -> ModelPair:
    """Check two headers as `check_pair` does.

    Raises:
        ModelFileError: A file is of another model, or the two do not belong together.
    """
    _check_roles(model, projector)
    for header in (model, projector):
        _check_whole(header)
    language, vision = check_language(model), check_vision(projector)
    if vision.n_out != language.n_embd:
        raise ModelFileError(
            f"expected a projector that makes image tokens of width {language.n_embd} for {model.path.name}; "
            f"{projector.path.name} makes {vision.n_out}. Use the mmproj file published with this model."
        )
    return ModelPair(model, projector, language, vision)


def check_model(model: Header) -> LanguageFacts:
    """Check a language model by itself.

    Raises:
        ModelFileError: It is another kind of file, broken, or one of several parts.
    """
    _check_role(model, LANGUAGE_ARCHITECTURE, "model")
    _check_whole(model)
    return check_language(model)


def check_projector(projector: Header) -> VisionFacts:
    """Check a projector by itself.

    Raises:
        ModelFileError: It is another kind of file, broken, or one of several parts.
    """
    _check_role(projector, PROJECTOR_ARCHITECTURE, "mmproj")
    _check_whole(projector)
    return check_vision(projector)


def find_model(folder: str | Path) -> Path:
    """Return the language model in `folder`: its only .gguf file without "mmproj" in the name.

    Raises:
        ModelFileError: The folder has none, or several.
    """
    folder = Path(folder)
    return _only(model_files(folder), folder, "language model", "model")


def find_projector(model_path: str | Path) -> Path:
    """Return the projector beside a language model: the .gguf file with "mmproj" in its name.

    Among several, the one named exactly like the model with "mmproj-" before it is taken, else the one named like the
    model apart from "mmproj" and the quantisation tags.

    Raises:
        ModelFileError: The folder has none, or several fit.
    """
    model_path = Path(model_path)
    found = [path for path in gguf_files(model_path.parent) if is_projector(path)]
    twins = [path for path in found if path.name == f"mmproj-{model_path.name}"]
    namesakes = twins or [path for path in found if base_name(path) == base_name(model_path)]
    return _only(namesakes if len(found) > 1 and namesakes else found, model_path.parent, "projector", "mmproj")


def _check_roles(model: Header, projector: Header) -> None:
    got = (model.architecture, projector.architecture)
    wanted = (LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE)
    if got == wanted[::-1]:
        raise ModelFileError(
            f"model and projector are swapped: {model.path} is the projector and {projector.path} the language model. "
            "Exchange the two."
        )
    for header, want, role in zip((model, projector), wanted, ("model", "mmproj"), strict=True):
        _check_role(header, want, role)


def _check_role(header: Header, want: str, role: str) -> None:
    if header.architecture != want:
        what = _NAMES.get(header.architecture, f"one of architecture {header.architecture or 'unknown'!r}")
        raise ModelFileError(
            f"expected {_NAMES[want]} of architecture {want!r} as {role}; {header.path} is {what}. "
            "Give the two files of a Youtu-VL GGUF release."
        )


def _check_whole(header: Header) -> None:
    parts = header.metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise ModelFileError(
            f"expected a model in one file; {header.path} is one of {parts} parts. "
            "Join them with `llama-gguf-split --merge`."
        )


def gguf_files(folder: Path) -> list[Path]:
    """List the visible GGUF files of a folder by name."""
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() == ".gguf" and not p.name.startswith(".")]
    except OSError as exc:
        raise ModelFileError(f"expected a folder of model files at {folder}; got: {exc}. Check the path.") from exc
    return sorted(found)


def model_files(folder: Path) -> list[Path]:
    """List the visible GGUF files of a folder, without projectors, by name."""
    return [path for path in gguf_files(folder) if not is_projector(path)]


def quant_of(path: PurePath) -> str | None:
    """Return the encoding in a model file's name, in capitals, or None."""
    found = _QUANT_TAG.search(path.stem)
    return found["quant"].upper() if found else None


def is_projector(path: PurePath) -> bool:
    """Return whether a file's name is that of a projector."""
    return "mmproj" in path.name.lower()


def base_name(path: PurePath) -> str:
    """Return the name without suffix, "mmproj" and quantisation tag, in lower case."""
    stem = _QUANT_TAG.sub("", path.stem)
    return re.sub(r"[-_.]?mmproj[-_.]?", "", stem, flags=re.IGNORECASE).lower()


def _only(found: list[Path], folder: Path, role: str, argument: str) -> Path:
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise ModelFileError(f"expected one {role} in {folder}; got {names}. Name the file with {argument}=PATH.")
