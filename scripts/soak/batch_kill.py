#!/usr/bin/env python3
"""A batch that is killed at random points and resumed must give the same results as an undisturbed one.

    python scripts/soak/batch_kill.py --images 200 --kills 10

Draws scenes, breaks five of the files in five ways, and runs `youtu-gguf batch` on them twice: undisturbed, and killed
repeatedly with SIGKILL. Both output folders must then hold the same bytes, apart from timings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts.nano.scenes import TEST_SEEDS, draw

TASKS = ("detect", "depth", "describe", "segment sky grass sand person --present all", "count object")
FORMATS = "npz,png,coco,yolo,labelme,csv,index.png,depth.png"
TIMINGS = ("timings", "seconds")
LONGEST_S = 3600.0


def make_images(folder: Path, n: int, seed: int) -> None:
    """Write `n` scenes; at most five and half of them broken: cut off, empty, text, a flipped byte, reversed."""
    folder.mkdir()
    paths = [folder / f"{i:04}.png" for i in range(n)]
    for i, path in enumerate(paths):
        Image.fromarray(draw(TEST_SEEDS + i).rgb).save(path)
    chosen = np.random.default_rng(seed).permutation(n)[: min(5, n // 2)]
    for kind, i in enumerate(chosen.tolist()):
        data = paths[i].read_bytes()
        flipped = data[:2000] + bytes([data[2000] ^ 0xFF]) + data[2001:]
        paths[i].write_bytes((data[:3000], b"", b"no picture at all", flipped, data[::-1])[kind])


def command(images: Path, out: Path, model: str) -> list[str]:
    tasks = [part for task in TASKS for part in ("--task", task)]
    options = ["--output", str(out), "--model", model, "--threads", "1", "--format", FORMATS, "--max-tokens", "200"]
    return [sys.executable, "-m", "youtu_gguf", "batch", str(images), *tasks, *options]


def run_killed(asked: Sequence[str], out: Path, n: int, kills: int, rng: np.random.Generator) -> int:
    """Run the batch, killing it `kills` times between two images, until it finishes; return the number of starts."""
    for start in range(kills):
        began = _count(out)
        wanted = began + int(rng.integers(1, max(2, 2 * (n - began) // (kills - start) or 2)))
        process = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stop = time.monotonic() + LONGEST_S
        while process.poll() is None and _count(out) < wanted and time.monotonic() < stop:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.2)))
        process.kill()
        process.wait()
    subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONGEST_S, check=False)
    return kills + 1


def _count(out: Path) -> int:
    path = out / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def differences(a: Path, b: Path) -> list[str]:
    """Return the differences between two output folders."""
    found = []
    names = {path.relative_to(folder) for folder in (a, b) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(names):
        if not ((a / name).exists() and (b / name).exists()):
            found.append(f"{name} is in one of them only")
        elif name.name == "results.jsonl":
            if [_timeless(a / name)] != [_timeless(b / name)]:
                found.append(f"{name} differs")
        elif (a / name).read_bytes() != (b / name).read_bytes():
            found.append(f"{name} differs")
    return found


def _timeless(path: Path) -> list[Any]:
    return [_without(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(item) for name, item in value.items() if name not in TIMINGS}
    return [_without(item) for item in value] if isinstance(value, list) else value


def check(folder: Path, n: int, kills: int, seed: int = 0, model: str = "nano") -> list[str]:
    """Run both batches and return the differences."""
    rng = np.random.default_rng(seed)
    make_images(folder / "images", n, seed)
    outs = folder / "undisturbed", folder / "killed"
    asked = [command(folder / "images", out, model) for out in outs]
    subprocess.run(asked[0], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONGEST_S, check=False)
    if _count(outs[0]) != n:
        return [f"the undisturbed run finished {_count(outs[0])} of {n} images"]
    starts = run_killed(asked[1], outs[1], n, kills, rng)
    print(f"{n} images, started {starts} times", file=sys.stderr)
    return differences(*outs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=count, default=200)
    parser.add_argument("--kills", type=count, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="nano")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = check(Path(folder), args.images, args.kills, args.seed, args.model)
    print("\n".join(found) or "no difference")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
