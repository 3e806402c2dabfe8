"""The built wheel, unpacked: what the tests of the page run, so that a file which the wheel lacks fails a test."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from filelock import FileLock

from youtu_gguf.version import __version__

ROOT = Path(__file__).parents[2]
MARKED = f"{__version__}+from.the.wheel"
"""The version that the unpacked package states, so that no other can be mistaken for it."""


def unpacked_wheel(shared: Path) -> Path:
    """Return the folder of the unpacked wheel; built by the first of several processes that share a folder."""
    folder = shared / "wheel"
    with FileLock(shared / "wheel.lock"):
        if not folder.exists():
            _unpack(_build(shared), folder)
    return folder


def _build(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def _unpack(wheel: Path, folder: Path) -> None:
    part = folder.with_suffix(".part")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(part)
    version = part / "youtu_gguf" / "version.py"
    version.write_text(version.read_text(encoding="utf-8").replace(__version__, MARKED), encoding="utf-8")
    part.rename(folder)
