#!/usr/bin/env python3
"""Pulls a pair from a hub on the loopback address in a process that is killed repeatedly; then onto a full disk.

Each process is killed when the file has reached a random byte, and the next one must resume there. In the end both
files must have the right hash, and no byte may have been fetched twice. For the full disk the script mounts a small
tmpfs, for which it needs the permission.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import mmap
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts._arguments import count

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from _full import add_pair_option, full_pair

import youtu_gguf as yg
from tests import loopback_hub as hubs
from tests.loopback_hub import MODEL, PROJECTOR, Hub
from tests.pull.checks import PATIENCE_S, arrives, command

STALL_TIMEOUT_S = 2
KILLED_BY_THEN_S = 600
"""How long a process waits for more bytes before it asks again: longer than it lives, however busy the machine."""
TMPFS_KB = 1600
STALL_AT = 10_000


def pull(hub: Hub, cache: Path, stall_s: int = STALL_TIMEOUT_S) -> subprocess.Popen[str]:
    """Start the command in a child process."""
    return command(hub, cache, "pull", HF_HUB_DOWNLOAD_TIMEOUT=str(stall_s))


def kill_again_and_again(hub: Hub, cache: Path, n: int, seed: int) -> list[str]:
    """Kill `n` pulls and let the last one finish; return what is wrong."""
    size = len(hub.files[MODEL])
    positions = sorted(random.Random(seed).sample(range(1, size), n))
    for number, position in enumerate(positions):
        hub.troubles = [*([hubs.fine] if number == 0 else []), hubs.stall_at(position)]
        process = pull(hub, cache, stall_s=KILLED_BY_THEN_S)
        if not arrives(process, hub, cache, position):
            return [f"the process ended before byte {position}: {process.communicate()[1]}"]
        process.kill()
        process.communicate()
        if list(cache.glob(f"*/snapshots/*/{MODEL}")):
            return [f"there is a model after only {position} bytes"]
    hub.troubles = []
    process = pull(hub, cache)
    out, err = process.communicate(timeout=PATIENCE_S)
    if process.returncode:
        return [err]
    faults = []
    for path in map(Path, out.splitlines()):
        if hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(hub.files[path.name]).digest():
            faults.append(f"{path.name} has another hash")
    starts = [start for name, start, _ in hub.served if name == MODEL]
    if starts != [0, *positions]:
        faults.append(f"fetched from {starts}, killed at {positions}")
    return faults


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Yield a folder with room for little more than the pair, or None if it cannot be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_KB}k", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill_a_disk(hub: Hub, disk: Path) -> list[str]:
    """Pull onto `disk` and fill it during the download; return what is wrong."""
    cache, filler = disk / "cache", disk / "filler"
    hub.served.clear()
    hub.troubles = [hubs.fine, hubs.stall_at(STALL_AT)]
    process = pull(hub, cache)
    if not arrives(process, hub, cache, STALL_AT):
        return [f"the process ended before the disk was full: {process.communicate()[1]}"]
    filler.write_bytes(bytes(shutil.disk_usage(disk).free - 2 * STALL_AT))
    _, err = process.communicate(timeout=PATIENCE_S)
    faults = []
    if process.returncode != yg.InputError.exit_code or "Make room" not in err or "Traceback" in err:
        faults.append(f"on a full disk: status {process.returncode}, {err}")
    if list(cache.glob(f"*/snapshots/*/{MODEL}")):
        faults.append("there is a model on a full disk")
    filler.unlink()
    process = pull(hub, cache)
    out, err = process.communicate(timeout=PATIENCE_S)
    if process.returncode or Path(out.splitlines()[0]).read_bytes() != hub.files[MODEL]:
        faults.append(f"once there is room: {err}")
    if 0 in [start for name, start, _ in hub.served if name == MODEL][1:]:
        faults.append("what had arrived was fetched again")
    return faults


def at_full_size(folder: Path, scratch: Path) -> list[str]:
    """Pull the full-size pair over a connection that is cut once; print time and memory, return what is wrong."""
    pair = full_pair(folder)
    files = {name: _mapped(path) for name, path in zip((MODEL, PROJECTOR), pair, strict=True)}
    with hubs.serving(Hub(files)) as hub:
        position = len(files[MODEL]) // 2
        hub.troubles = [hubs.fine, hubs.cut_at(position)]
        started, peak = time.monotonic(), 0
        process = pull(hub, scratch / "cache", stall_s=120)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, watched.memory_info().rss)
            time.sleep(0.1)
        out, err = process.communicate()
        took = time.monotonic() - started
        print(f"{pair[0].name} and its projector: {took:.0f} s, {peak / 1e6:.0f} MB of memory, cut at {position:,}")
        served = [(start, n) for name, start, n in hub.served if name == MODEL]
        if process.returncode or served != [(0, position), (position, len(files[MODEL]) - position)]:
            return [f"status {process.returncode}, served {served}: {err}"]
        with Path(out.splitlines()[0]).open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == hub.digest(MODEL)
        return [] if same else ["another hash"]


def _mapped(path: Path) -> bytes:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # type: ignore[return-value]  # it behaves like bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=count, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--full", action="store_true", help="the full-size pair instead, cut once: 13 GB of disk")
    add_pair_option(parser)
    args = parser.parse_args()
    if args.full:
        with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
            faults = at_full_size(args.folder, Path(scratch))
        print(faults or "whole, no byte fetched twice")
        sys.exit(bool(faults))
    with tempfile.TemporaryDirectory() as scratch, small_disk() as disk:
        pair = yg.weights.write_synthetic_pair(scratch, "tiny")
        files = {name: path.read_bytes() for name, path in zip((MODEL, PROJECTOR), pair, strict=True)}
        with hubs.serving(Hub(files)) as hub:
            faults = kill_again_and_again(hub, Path(scratch) / "cache", args.kills, args.seed)
            print(f"{args.kills} kills: {faults or 'both files whole, no byte fetched twice'}")
            if disk is None:
                print("no tmpfs could be mounted: the full disk was not tried")
            else:
                found = fill_a_disk(hub, disk)
                print(f"full disk: {found or 'one clear error, resumed once there was room'}")
                faults += found
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
