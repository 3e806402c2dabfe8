"""The rules that keep the package readable: who imports whom, what stays private, and how long a file may be."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "youtu_gguf"
ROOT = PACKAGE.parent
MAX_LINES = 400

LAYERS = (
    "version", "errors", "forks", "facts", "types", "arguments", "machine", "environment", "config", "backoff", "locks",
    "atomic",
    "images", "gguf", "hub", "prompts", "calibration.assumptions", "engines.prefix", "engines.base",
    "decode", "refine", "render", "output",
    "engines.sequential", "engines.diversity", "engines.repetition", "engines.stops",
    "engines.native", "engines.http", "engines.llama_server",
    "tasks", "scene",
    "weights", "calibration.sign_test", "calibration.report", "calibration.storage", "model", "testing", "calibration",
    "doctor", "servers",
    "", "batch", "cluster", "evaluate", "serve", "cli", "__main__",
)  # fmt: skip
"""Units from the ground up; each imports only from itself and from those before it. A unit is a room, a file at the
root, or a part of a room that others need earlier than the rest; "" is `youtu_gguf/__init__.py`, the public surface."""

CONCRETE = ("engines.native", "engines.http", "engines.llama_server")
APART = {
    "tasks": CONCRETE,
    "scene": CONCRETE,
    "batch": CONCRETE,
    "cluster": CONCRETE,
    "evaluate": CONCRETE,
    "cli": CONCRETE,
    "serve": CONCRETE,
}
"""Units that must not know others, though these stand before them: what is asked does not depend on what answers."""

EMPTY = ("engines",)
"""Rooms whose parts stand in `LAYERS` one by one: their `__init__.py` imports nothing."""

SYSTEM_CALLS = ("engines/llama_server/launcher.py", "serve/allocator.py")
"""Calls of the system that Python does not offer: what binds a child to this process, and how memory is kept."""

LLAMA_CPP = ("engines/native/llama/", "engines/native/vision/ggml.py")
"""Where llama.cpp and ggml are called."""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    """Return the module's name below the package; "" for the package itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


MODULES = {module_name(path): path for path in sources()}


def unit_of(module: str) -> str | None:
    """Return the unit of `LAYERS` that a module belongs to: the longest that its name begins with."""
    if not module:
        return ""
    return max((u for u in LAYERS if u and (module == u or module.startswith(u + "."))), key=len, default=None)


def imported_names(path: Path) -> set[str]:
    """Return the dotted names that a file imports, other packages' included; those of ours down to the module."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            inner = module.removeprefix("youtu_gguf").removeprefix(".")
            for alias in node.names:
                below = f"{inner}.{alias.name}".removeprefix(".")
                is_module = module.startswith("youtu_gguf") and below in MODULES
                found.add(f"youtu_gguf.{below}" if is_module else module)
    return found


def imported_modules(path: Path) -> set[str]:
    """Return the modules of this package that a file imports."""
    ours = {n for n in imported_names(path) if n == "youtu_gguf" or n.startswith("youtu_gguf.")}
    return {n.removeprefix("youtu_gguf").removeprefix(".") for n in ours}


def test_every_module_stands_in_the_layers() -> None:
    assert [m for m in MODULES if unit_of(m) is None and m not in EMPTY] == []
    assert [unit for unit in LAYERS if not any(unit_of(m) == unit for m in MODULES)] == []
    assert [imported_modules(MODULES[room]) for room in EMPTY] == [set()] * len(EMPTY)


def test_the_architecture_page_lists_the_same_layers() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = next(block for block in page.split("```") if block.startswith("\nversion"))
    assert [unit.strip('"') for unit in listed.split()] == list(LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_layers_below_its_own(module: str) -> None:
    if module in EMPTY:
        return
    own = LAYERS.index(unit_of(module))  # type: ignore[arg-type]  # the test above
    above = {n: unit_of(n) for n in imported_modules(MODULES[module]) if n not in EMPTY}
    apart = APART.get(LAYERS[own], ())
    wrong = [n for n, u in sorted(above.items()) if u is None or LAYERS.index(u) > own or u in apart]
    assert wrong == []


def defined_names(path: Path) -> set[str]:
    """Return every name that a file defines: functions, classes, variables, attributes it assigns, fields."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


OTHERS = {"_fields", "_replace", "_asdict", "_exit", "_name", "_lib", "_handle", "_MEIPASS"}
"""Underscored names of Python's and of llama-cpp-python that are used: named tuples, `os._exit`, handles."""


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nobody_reaches_a_private_name_of_another_file(path: Path) -> None:
    own = defined_names(path)
    reached = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("youtu_gguf"):
            reached += [
                alias.name for alias in node.names if alias.name.startswith("_") and alias.name != "__version__"
            ]
            reached += [part for part in (node.module or "").split(".") if part.startswith("_")]
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            reached += [node.attr] if node.attr not in own | OTHERS else []
    assert reached == []


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_ctypes_and_the_environment_stay_where_they_belong(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    if not place.startswith(LLAMA_CPP) and place not in SYSTEM_CALLS:
        assert not imported_names(path) & {"ctypes", "llama_cpp"}
    if place != "environment.py":
        source = path.read_text(encoding="utf-8")
        assert "os.environ" not in source
        assert "getenv" not in source


def spelled_choices(path: Path) -> list[frozenset[str]]:
    """Return the words of every `Literal` of several words in a file."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
            words = frozenset(n.value for n in ast.walk(node.slice) if isinstance(n, ast.Constant))
            found += [words] if len(words) > 1 and all(isinstance(word, str) for word in words) else []
    return found


def test_choices_are_spelled_once() -> None:
    places: dict[frozenset[str], list[str]] = {}
    for path in sources():
        for words in spelled_choices(path):
            places.setdefault(words, []).append(module_name(path))
    assert [sorted(words) for words, modules in places.items() if len(modules) > 1] == []


@pytest.mark.parametrize(
    "path",
    [*sources(), *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").rglob("*.py"))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_file_is_short_enough_to_own_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
