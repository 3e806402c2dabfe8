"""The guard of tests/unit/conftest.py."""

import sys

import pytest

import youtu_gguf as yg


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
