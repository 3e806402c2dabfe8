"""A language model and its projector, found on disk and checked before llama.cpp sees them.

llama.cpp ends the process on many contradictions in a file, so everything it asserts is checked here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import LANGUAGE_ARCHITECTURE, PROJECTOR_ARCHITECTURE
from youtu_gguf.gguf.choice import (
    Choice,
    choose_model,
    choose_projector,
    how_to_join,
    is_projector,
    is_quant,
    names_of,
)
from youtu_gguf.gguf.header import UNFINISHED, Header, read_header
from youtu_gguf.gguf.language import LanguageFacts, check_language
from youtu_gguf.gguf.vision import VisionFacts, check_vision

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
    _check_whole(model)
    return check_headers(model, read_header(mmproj_path or find_projector(model_path)))


def check_headers(model: Header, projector: Header) -> ModelPair:
    """Check two headers as `check_pair` does.

    Raises:
        ModelFileError: A file is of another model, or the two do not belong together.
    """
    for header in (model, projector):
        _check_whole(header)  # first: parts other than the first do not say what they are of
    _check_roles(model, projector)
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
    _check_whole(model)
    _check_role(model, LANGUAGE_ARCHITECTURE, "model")
    return check_language(model)


def check_projector(projector: Header) -> VisionFacts:
    """Check a projector by itself.

    Raises:
        ModelFileError: It is another kind of file, broken, or one of several parts.
    """
    _check_whole(projector)
    _check_role(projector, PROJECTOR_ARCHITECTURE, "mmproj")
    return check_vision(projector)


def find_model(folder: str | Path) -> Path:
    """Return the language model in `folder`, chosen by the encoding in its name (`gguf/choice.py`).

    Raises:
        ModelFileError: The folder has none, or several that fit equally well.
    """
    folder = Path(folder)
    choice = choose_model(gguf_files(folder)).noted("language model", folder, "Name another with model=PATH.")
    return choice.only("language model", folder, _name_it("model")) or _nothing(folder, "language model", "model")


def find_projector(model_path: str | Path) -> Path:
    """Return the projector beside a language model, chosen by its name (`gguf/choice.py`).

    Raises:
        ModelFileError: The folder has none, or several that fit equally well.
    """
    folder = Path(model_path).parent
    choice = projectors_of(Path(model_path)).noted("projector", folder, "Name another with mmproj=PATH.")
    return choice.only("projector", folder, _name_it("mmproj")) or _nothing(folder, "projector", "mmproj")


def projectors_of(model_path: Path) -> Choice[Path]:
    """Choose among the projectors in a language model's folder; in the one above it where that is named by encoding.

    Raises:
        ModelFileError: The folder cannot be read.
    """
    choice = choose_projector(gguf_files(model_path.parent), model_path)
    if choice == Choice(()) and is_quant(model_path.parent.name):
        return choose_projector(gguf_files(model_path.parent.parent), model_path)
    return choice


def gguf_files(folder: Path) -> list[Path]:
    """List the visible GGUF files of a folder, then those of folders in it that are named by an encoding; by name.

    Links that lead nowhere do not count.

    Raises:
        ModelFileError: The folder cannot be read.
    """
    try:
        inside = sorted(folder.iterdir())
        below = [file for path in inside if is_quant(path.name) and path.is_dir() for file in sorted(path.iterdir())]
        return [file for file in (*inside, *below) if is_gguf(file) and file.is_file()]
    except OSError as exc:
        raise ModelFileError(f"expected a folder of model files at {folder}; got: {exc}. Check the path.") from exc


def is_gguf(path: Path) -> bool:
    """Return whether a path has the name of a visible GGUF file."""
    return path.suffix.lower() == ".gguf" and not path.name.startswith(".")


def model_files(folder: Path) -> list[Path]:
    """List the visible GGUF files of a folder, without projectors, by name."""
    return [path for path in gguf_files(folder) if not is_projector(path)]


def _nothing(folder: Path, role: str, argument: str) -> Path:
    files = sorted(folder.iterdir())
    unfinished = [path for path in files if path.suffix.lower() in UNFINISHED]
    dangling = [path for path in files if is_gguf(path) and path.is_symlink() and not path.exists()]
    got = f"unfinished downloads: {names_of(unfinished)}. Finish them" if unfinished else "none"
    got = f"links that lead nowhere: {names_of(dangling)}. Download the files again" if dangling else got
    raise ModelFileError(f"expected one {role} in {folder}; got {got}. {_name_it(argument)}")


def _name_it(argument: str) -> str:
    return f"Name the file with {argument}=PATH."


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
        raise ModelFileError(f"expected a model in one file; {how_to_join(header.path, parts)}")
