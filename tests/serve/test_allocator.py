"""The limit on the heaps of the C library, in a process of its own: it cannot be taken back."""

import platform
import subprocess
import sys

import pytest

CODE = """
import threading
from youtu_gguf.serve.allocator import limit_arenas
before = limit_arenas()
kept = [[] for _ in range(16)]
threads = [threading.Thread(target=lambda own=own: own.extend(bytes(4096) for _ in range(64))) for own in kept]
for thread in threads: thread.start()
for thread in threads: thread.join()
import ctypes
ctypes.CDLL(None).malloc_stats()
print(before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
def test_many_threads_share_two_heaps() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True"
    assert 1 <= done.stderr.count("Arena ") <= 2
