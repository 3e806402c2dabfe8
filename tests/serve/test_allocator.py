"""The limit on the heaps of the C library, in a process of its own: it cannot be taken back."""

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes, threading
from youtu_gguf.serve.allocator import limit_arenas

def allocate():
    kept = [bytes(4096) for _ in range(64)]
    together.wait()  # a thread that has ended leaves its heap to the next

has_limit = limit_arenas()
together = threading.Barrier(16)
threads = [threading.Thread(target=allocate) for _ in range(15)]
for thread in threads:
    thread.start()
ctypes.CDLL(None).malloc_stats()
together.wait()
print(has_limit)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
def test_many_threads_share_two_heaps() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True"
    assert 1 <= done.stderr.count("Arena ") <= 2
