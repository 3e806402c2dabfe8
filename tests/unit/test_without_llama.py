"""The guard of tests/unit/conftest.py."""

import sys

import pytest

import youtu_gguf as yg
from youtu_gguf.engines.native import fair_lock


def test_llama_cpp_cannot_be_imported_here(attempts: list[str]) -> None:
    with pytest.raises(ImportError, match="belong to tests/integration"):
        import llama_cpp  # noqa: F401
    assert attempts == ["llama_cpp"]
    attempts.clear()


def test_the_native_engine_cannot_be_loaded_here(attempts: list[str]) -> None:
    with pytest.raises(yg.EngineError, match="belong to tests/integration"):
        yg.load("nano")
    assert attempts == ["llama_cpp"]
    attempts.clear()
    assert not [name for name in sys.modules if name.startswith("llama_cpp")]


def test_a_module_is_the_same_however_it_is_imported() -> None:
    from youtu_gguf.engines import native
    from youtu_gguf.engines.native.fair_lock import FairLock

    assert native.fair_lock is sys.modules[fair_lock.__name__] is fair_lock
    assert FairLock is fair_lock.FairLock
