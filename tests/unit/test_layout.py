"""The rules that keep the package readable: who imports whom, and how long a file may be."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "youtu_gguf"
ROOT = PACKAGE.parent
MAX_LINES = 400

# Folder or file of the package -> what of ours it may import.
ALLOWED = {
    "errors": [],
    "types": ["errors"],
    "numeric": [],
    "crop": ["types", "errors", "numeric"],
    "prompts": [],
    "zoom": ["types", "errors", "numeric", "engines.base"],
    "focal": [],
    "streaming": ["types", "engines.base"],
    "decode": ["decode", "types", "errors", "numeric", "engines.base"],
    "refine": ["refine", "types", "errors", "engines.base"],
    "render": ["render", "types", "errors", "engines.base"],
    "output": ["output", "types", "errors", "engines.base"],
    "engines": ["engines", "types", "errors", "config", "prompts", "files", "image"],
    "tasks": [
        "tasks",
        "types",
        "errors",
        "engines.base",
        "prompts",
        "decode",
        "refine",
        "image",
        "crop",
        "zoom",
        "numeric",
    ],
    "calibrating": [
        "calibrating",
        "types",
        "errors",
        "engines.base",
        "decode",
        "refine",
        "tasks",
        "image",
        "config",
        "model",
        "files.fingerprint",
        "files.pair",
        "output.atomic",
        "weights",
        "__version__",
    ],
    "batch": ["batch", "types", "errors", "output", "render", ""],
    "cli": ["cli", "types", "errors", "options", "streaming", "output", "render", "crop", "zoom", "batch", ""],
}

# What binds a child process to ours, by system calls that Python does not offer.
SYSTEM_CALLS = ("engines/_launch.py", "engines/_job.py")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            whole = node.module == "youtu_gguf"
            found |= {f"youtu_gguf.{alias.name}" for alias in node.names} if whole else {node.module or ""}
    return found


def may_import(unit: str, name: str) -> bool:
    return any(name == allowed or (allowed and name.startswith(allowed + ".")) for allowed in ALLOWED[unit])


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_imports_only_what_its_layer_may_see(path: Path) -> None:
    unit = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    ours = {
        m.removeprefix("youtu_gguf").removeprefix(".") for m in imported_modules(path) if m.startswith("youtu_gguf")
    }
    if unit in ALLOWED:
        assert [name for name in sorted(ours) if not may_import(unit, name)] == []


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_ctypes_and_the_environment_stay_where_they_belong(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    if "_llama" not in place.parts and place.as_posix() not in SYSTEM_CALLS:
        assert not imported_modules(path) & {"ctypes", "llama_cpp"}
    if place.name != "config.py":
        source = path.read_text(encoding="utf-8")
        assert "os.environ" not in source
        assert "getenv" not in source


@pytest.mark.parametrize(
    "path",
    [*sources(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_file_is_short_enough_to_own_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
