"""llama.cpp's CUDA graphs are off by default, in this process and in the servers it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from youtu_gguf.config import make_settings
from youtu_gguf.environment import NO_CUDA_GRAPHS_VARIABLE, cuda_graphs_forbidden, server_environment, set_cuda_graphs
from youtu_gguf.errors import InputError


@pytest.fixture(autouse=True)
def not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_CUDA_GRAPHS_VARIABLE, "")  # so that what a test sets is taken back
    monkeypatch.delenv(NO_CUDA_GRAPHS_VARIABLE)


def test_they_are_off_unless_a_setting_turns_them_on() -> None:
    assert make_settings().cuda_graphs is False
    set_cuda_graphs(False)
    assert NO_CUDA_GRAPHS_VARIABLE in os.environ
    assert not cuda_graphs_forbidden()
    set_cuda_graphs(True)
    assert NO_CUDA_GRAPHS_VARIABLE not in os.environ


def test_a_user_who_has_turned_them_off_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_CUDA_GRAPHS_VARIABLE, "0")
    set_cuda_graphs(False)
    assert os.environ[NO_CUDA_GRAPHS_VARIABLE] == "0"
    for turn_on in (lambda: set_cuda_graphs(True), lambda: server_environment("key", cuda_graphs=True)):
        with pytest.raises(InputError, match=f"without {NO_CUDA_GRAPHS_VARIABLE}, which turns them off"):
            turn_on()


def test_a_server_has_them_as_its_own_settings_say_whatever_this_process_does() -> None:
    assert NO_CUDA_GRAPHS_VARIABLE in server_environment("key")
    assert NO_CUDA_GRAPHS_VARIABLE not in os.environ
    set_cuda_graphs(False)
    assert NO_CUDA_GRAPHS_VARIABLE in server_environment("key")
    assert NO_CUDA_GRAPHS_VARIABLE not in server_environment("key", cuda_graphs=True)


def test_variables_that_change_what_a_server_does_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTMD_BACKEND_DEVICE", "CUDA1")
    monkeypatch.setenv("LLAMA_ARG_DEVICE", "CUDA1")
    assert not {"MTMD_BACKEND_DEVICE", "LLAMA_ARG_DEVICE"} & server_environment("key").keys()


def test_the_variable_reaches_getenv_of_c() -> None:
    code = (
        "import ctypes; from youtu_gguf.environment import *; set_cuda_graphs(False);"
        "getenv = ctypes.CDLL(None).getenv; getenv.restype = ctypes.c_char_p;"
        "print(getenv(NO_CUDA_GRAPHS_VARIABLE.encode()))"
    )
    if sys.platform == "win32":
        pytest.skip("CDLL(None) is not for Windows")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "b'youtu-gguf'\n"
