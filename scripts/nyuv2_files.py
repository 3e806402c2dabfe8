#!/usr/bin/env python3
"""Make the test images of NYUv2, and their distances, from the files that its authors publish.

    python scripts/nyuv2_files.py nyu_depth_v2_labeled.mat splits.mat DATA

Writes DATA/official_splits/test/SCENE/rgb_NNNNN.png and sync_depth_NNNNN.png (16 bit, millimetres, 0 = unknown), as
`youtu-gguf eval nyuv2 DATA` reads them. NNNNN counts from 0. Distances are those that the camera measured
(`rawDepths`); `--filled` takes those whose gaps the authors filled (`depths`). Images keep their white border, which
cleinc/bts blackens.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.data.depth_sets import NYUV2_PER_METRE
from youtu_gguf.evaluate.data.matlab import read_mat
from youtu_gguf.evaluate.data.needed import needed
from youtu_gguf.output.png import grey_png, write_png

TOP = 65535  # of 16 bits


def write_files(labeled: Path, splits: Path, folder: Path, *, filled: bool = False) -> int:
    """Write the files of the images that `splits` names for tests, and return their number.

    Arrays of MATLAB lie in HDF5 files with their axes reversed: `images` is (n, 3, width, height), and the distances,
    in metres, are (n, width, height).

    Args:
        labeled: nyu_depth_v2_labeled.mat, an HDF5 file.
        splits: splits.mat, whose `testNdxs` count from 1.
        folder: Where to.
        filled: Take the distances whose gaps are filled.

    Raises:
        InputError: A file has not what it should.
    """
    h5py = needed("h5py")
    numbers = read_mat(splits, {"testNdxs": (None, 1)})["testNdxs"].ravel().astype(int) - 1
    name = "depths" if filled else "rawDepths"
    with h5py.File(labeled, "r") as source:
        missing = [key for key in ("images", name, "sceneTypes") if key not in source]
        if missing:
            raise InputError(
                f"{labeled}: expected the variables images, {name} and sceneTypes; it lacks {', '.join(missing)}."
            )
        images, distances, scenes = source["images"], source[name], source["sceneTypes"]
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(images):
            raise InputError(f"{splits}: expected numbers from 1 to {len(images)}; got others.")
        for number in numbers.tolist():
            scene = "".join(map(chr, np.asarray(source[scenes[0, number]]).ravel().tolist()))
            if not re.fullmatch(r"\w+", scene):
                raise InputError(f"{labeled}: expected the name of a scene; got {scene[:40]!r}.")
            place = folder / "official_splits" / "test" / scene
            place.mkdir(parents=True, exist_ok=True)
            metres = np.asarray(distances[number]).T
            levels = np.clip(np.rint(np.nan_to_num(metres) * NYUV2_PER_METRE), 0, TOP).astype(np.uint16)
            write_png(place / f"rgb_{number:05d}.png", np.ascontiguousarray(np.asarray(images[number]).T))
            (place / f"sync_depth_{number:05d}.png").write_bytes(grey_png(levels))
    return len(numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labeled", type=Path, help="nyu_depth_v2_labeled.mat")
    parser.add_argument("splits", type=Path, help="splits.mat")
    parser.add_argument("data", type=Path, help="folder to write to")
    parser.add_argument("--filled", action="store_true", help="distances whose gaps are filled")
    args = parser.parse_args()
    print(f"{write_files(args.labeled, args.splits, args.data, filled=args.filled)} images")


if __name__ == "__main__":
    main()
