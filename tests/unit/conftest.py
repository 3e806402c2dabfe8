"""No unit test loads llama.cpp: whichever imports it fails, also where tests that need it run in the same process."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

NEEDING_LLAMA = ("llama_cpp", "youtu_gguf.engines.native.")


class Refusal:
    """A finder of modules that refuses llama_cpp and notes each attempt."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "llama_cpp":
            return None
        self.attempts.append(name)
        raise ImportError("no unit test loads llama.cpp; tests that need it belong to tests/integration")


refusal = Refusal()
native: dict[str, ModuleType] = {}
"""Modules of the native engine as unit tests import them: those that need no llama.cpp."""


@contextmanager
def without_llama() -> Iterator[None]:
    """Refuse llama_cpp, and hide modules that other tests of this process have loaded with it."""
    loaded = _taken_out()
    _put_in(native)
    refusal.attempts.clear()
    sys.meta_path.insert(0, refusal)
    try:
        yield
    finally:
        sys.meta_path.remove(refusal)
        native.update(_taken_out())
        _put_in(loaded)


def _taken_out() -> dict[str, ModuleType]:
    taken = {name: sys.modules.pop(name) for name in [*sys.modules] if name.startswith(NEEDING_LLAMA)}
    for name, module in taken.items():
        for holder, child in _holders(name, taken):
            if getattr(holder, child, None) is module:
                delattr(holder, child)
    return taken


def _put_in(modules: dict[str, ModuleType]) -> None:
    sys.modules.update(modules)
    for name, module in modules.items():
        for holder, child in _holders(name, modules):
            setattr(holder, child, module)


def _holders(name: str, hidden: dict[str, ModuleType]) -> list[tuple[ModuleType, str]]:
    """Return the package that stays and holds a hidden module as an attribute, for `from package import module`."""
    package, _, child = name.rpartition(".")
    return [(sys.modules[package], child)] if package and package not in hidden else []


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, object, object]:
    with without_llama():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if Path(__file__).parent not in item.path.parents:  # pytest calls this hook for the tests of all folders
        return (yield)
    with without_llama():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    outcome = yield
    assert refusal.attempts == [], "a unit test tried to load llama.cpp"
    return outcome


@pytest.fixture
def attempts() -> list[str]:
    """Modules of llama.cpp that the running test has tried to import."""
    return refusal.attempts
