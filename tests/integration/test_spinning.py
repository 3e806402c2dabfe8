"""OpenMP's library reads how long its threads spin when llama.cpp loads it; it tells so itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from youtu_gguf.environment import SPINS

LOAD = "import os; import youtu_gguf.engines.native.llama.bindings; print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.skipif(sys.platform != "linux", reason="llama.cpp is built with libgomp on Linux")
def test_threads_of_llama_cpp_spin_for_a_short_time() -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    ended = subprocess.run(
        [sys.executable, "-c", LOAD], env={**kept, "OMP_DISPLAY_ENV": "verbose"}, capture_output=True, check=True,
        text=True,
    )  # fmt: skip
    if "GOMP_" not in ended.stderr:
        pytest.skip("llama.cpp is built with another OpenMP, or without")
    assert f"GOMP_SPINCOUNT = '{SPINS}'" in ended.stderr
    assert ended.stdout.split() == ["None"]
