#!/usr/bin/env python3
"""Draws the sample picture of the page, and prints what nano answers about it.

    python scripts/page_sample.py

It is the scene of docs/tasks.md, in which nano answers well in every task, as a photograph of a lens of 40 mm (for film
of 35 mm): its distances are thereby known in metres.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from io import BytesIO
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import youtu_gguf as yg
from scripts.nano.scenes import draw
from scripts.task_pictures import CAST, CLASSES, SEED, SIZE, THING
from youtu_gguf.output import write_bytes

FILE = Path(__file__).resolve().parents[1] / "youtu_gguf" / "serve" / "static" / "sample.webp"
QUALITY = 80
LENS_MM = 40
EXIF_IFD, FOCAL_LENGTH_35MM = 0x8769, 0xA405


def sample() -> bytes:
    """Return the picture's file."""
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[FOCAL_LENGTH_35MM] = LENS_MM
    buffer = BytesIO()
    picture = Image.fromarray(draw(SEED, size=SIZE, cast=CAST).rgb)
    picture.save(buffer, "WEBP", quality=QUALITY, method=6, exif=exif)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    data = sample()
    write_bytes(args.out, data)
    print(f"{args.out.name}: {len(data)} bytes")
    with yg.load("nano", threads=1, max_tokens=400, temperature=0.0) as model, closing(model.open(data)) as scene:
        for value in (
            scene.describe(), scene.ocr(), scene.count("circle"), scene.detect(), scene.ground(THING), scene.pose(),
            scene.segment(CLASSES, present="all"), scene.refer(THING), scene.depth(),
        ):  # fmt: skip
            print(value)


if __name__ == "__main__":
    main()
