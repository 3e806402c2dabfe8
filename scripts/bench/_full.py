"""Shared by the full-size benchmarks: the synthetic pair, a description of the machine, and a memory probe."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import resource
import sys
from pathlib import Path

import numpy as np

from youtu_gguf.gguf.pair import find_model, find_projector
from youtu_gguf.types import U8
from youtu_gguf.weights.inspect import inspect
from youtu_gguf.weights.quantize import quantize
from youtu_gguf.weights.slim import slim
from youtu_gguf.weights.synthetic.pair import write_synthetic_pair

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "youtu-gguf" / "synthetic-full"


def add_pair_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", type=Path, default=CACHE, help="folder of the full-size pair; it is written there if missing"
    )


def full_pair(folder: Path) -> tuple[Path, Path]:
    """Return the model and projector in `folder`; write the random full-size pair (6.1 GB) if they are missing."""
    if not _is_current(folder):
        print(f"writing the full-size synthetic pair to {folder}", file=sys.stderr)
        for old in folder.glob("*.gguf"):
            old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        write_synthetic_pair(folder, "full")
    model = find_model(folder)
    return model, find_projector(model)


def _is_current(folder: Path) -> bool:
    """Whether the pair in `folder` is complete and has names for its codebook, as the published one."""
    if len(list(folder.glob("*.gguf"))) < 2:
        return False
    tokens = inspect(find_model(folder)).tokens
    return tokens is not None and "type CONTROL" in tokens.codebook_finding


def smaller_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the pair in `folder` with a smaller model, slim or in another encoding; write it if it is missing."""
    model, mmproj = full_pair(folder)
    if name == "Q8_0":
        return model, mmproj
    tag = "slim-Q8_0" if name == "slim" else name
    smaller = folder.with_name(f"{folder.name}-{name}") / model.name.replace("Q8_0", tag)
    if not smaller.exists() or smaller.stat().st_mtime < model.stat().st_mtime:
        print(f"writing {smaller}", file=sys.stderr)
        smaller.parent.mkdir(parents=True, exist_ok=True)
        if name == "slim":
            slim(model, smaller)
        else:
            quantize(model, smaller, name)
    return smaller, mmproj


def photograph(width: int, height: int) -> U8:
    """Return a photograph that scikit-image ships."""
    from PIL import Image
    from skimage import data

    return np.asarray(Image.fromarray(data.coffee()).resize((width, height)))


def machine() -> str:
    """Return processor, number of usable cores, memory and date for the report."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory_gb:.0f} GiB, {platform.system()}, {today}"


def peak_memory_gb() -> float:
    """Return the peak resident memory of this process in GB (10^9 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's getrusage includes the parent's memory at the time of the fork
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(kilobytes) * 1024 / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
