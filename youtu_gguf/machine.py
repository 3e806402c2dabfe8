"""What this process may use of the machine: memory, processors, disk; within the limits of its container.

Limits come from Linux's control groups. A group's limits also bind the groups inside it, so every group from the
process's own up to the root counts. Sources: Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path("/")
"""Where `proc` and `sys` are."""

_MEMORY_FILES = {
    1: (("memory.limit_in_bytes",), "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")),
    2: (("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")),
}
"""By version: the files of limits, the file of what is in use, and the lines of `memory.stat` with droppable pages."""

_OUTER_LIMIT = "hierarchical_memory_limit"
"""Line of `memory.stat` with the lowest limit of a group and those around it, which a container may not see; version 1
only."""


class UsableMemory(NamedTuple):
    """Memory in bytes."""

    free: int
    total: int


def usable_memory() -> UsableMemory:
    """Return the memory that this process may still take, and the most it could ever have."""
    import psutil

    system = psutil.virtual_memory()
    return memory_within(UsableMemory(system.available, system.total), ROOT)


def usable_cores() -> int:
    """Return the number of threads that can run at the same time: of the cores allowed, at most the quota."""
    if hasattr(os, "sched_getaffinity"):
        return cores_within(len(os.sched_getaffinity(0)), ROOT)
    return cores_within(os.cpu_count() or 1, ROOT)


def start_of(pid: int) -> float | None:
    """Return when the process `pid` started, in seconds since the epoch; None if it does not run."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def pid_space() -> str:
    """Return what tells apart the places where a pid may mean another process: this boot of this machine, or container.

    Linux has both as identifiers (random(4), namespaces(7)). Elsewhere the machine's network address stands for it.
    """
    boot = _read(ROOT / "proc/sys/kernel/random/boot_id")
    if not boot:
        return f"{platform.node()} {uuid.getnode():x}"
    return f"{boot} {(ROOT / 'proc/self/ns/pid').readlink()}"


def free_disk(folder: Path) -> int:
    """Return the free bytes of the disk that holds `folder`, which need not exist yet."""
    from youtu_gguf.arguments import is_there

    return shutil.disk_usage(next(path for path in (folder, *folder.absolute().parents) if is_there(path))).free


def memory_within(system: UsableMemory, root: Path) -> UsableMemory:
    """Return what the control groups under `root` leave of the system's memory.

    Pages of files count as free, as they do in the system's own figure: Linux drops them on demand, and reads mapped
    ones again. Files in memory (tmpfs) are not among them.
    """
    free, total = system
    for folder, version in _groups(root, "memory"):
        limits, usage, droppable = _MEMORY_FILES[version]
        counts = dict(line.split(maxsplit=1) for line in _read(folder / "memory.stat").splitlines() if " " in line)
        stated = [*(_read(folder / name) for name in limits), counts.get(_OUTER_LIMIT, "")]
        limit = min((n for text in stated if (n := _number(text)) is not None), default=None)
        used = _number(_read(folder / usage))
        if limit is None or used is None:
            continue
        held = max(0, used - sum(_number(counts.get(name, "")) or 0 for name in droppable))
        free, total = min(free, max(0, limit - held)), min(total, limit)
    return UsableMemory(free, total)


def cores_within(n_cores: int, root: Path) -> int:
    """Return how many of `n_cores` the quotas under `root` leave; at least 1.

    A part of a core counts as one: two threads make use of a quota of 1.5 cores, one thread would not.
    """
    quotas = [float(n_cores)]
    for folder, version in _groups(root, "cpu"):
        if version == 1:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        else:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        allowed, per = _number(quota), _number(period)
        if allowed is not None and allowed > 0 and per:  # "max" and -1 mean no limit
            quotas.append(allowed / per)
    return max(1, math.ceil(min(quotas)))


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Yield the folders that may limit `controller`, from this process's group up, each with its version.

    Inside a container the groups may be mounted so that the path in `proc` does not exist below them; what is left of
    it, at least the mounted folder itself, then holds the limits.
    """
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines() or ["0::/"]:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base, version = mounted, 2
        elif controller in controllers.split(","):
            base, version = mounted / controller, 1
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        if ".." in group.parts:  # a group outside this namespace
            group = PurePosixPath()
        for inner in (group, *group.parents):
            if (base / inner).is_dir():
                yield base / inner, version


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:  # "max", or nothing
        return None
