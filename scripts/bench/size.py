"""The size of the code: files and lines of the package, and the files that one question runs through.

    python scripts/bench/size.py

A file counts if one of its functions runs during `scene.detect` with nano; loading the model and opening the image do
not count.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import numpy as np

import youtu_gguf as yg

PACKAGE = Path(yg.__file__).parent


def files_of_detect() -> list[str]:
    """Return the files whose functions one `scene.detect` runs, relative to the package."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            seen.add(frame.f_code.co_filename)

    image = np.zeros((256, 256, 3), np.uint8)
    image[64:128, 64:128] = 255
    with yg.load("nano", threads=1, max_tokens=32) as model:
        scene = model.open(image)
        sys.setprofile(note)
        try:
            scene.detect(["square"])
        finally:
            sys.setprofile(None)
    paths = (Path(name) for name in seen)
    return sorted(path.relative_to(PACKAGE).as_posix() for path in paths if path.is_relative_to(PACKAGE))


def main() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in sources]
    print(
        f"{len(sources)} files, {sum(lines)} lines, longest {max(lines)}, under 60 lines {sum(n < 60 for n in lines)}"
    )
    print(f"{len(list(PACKAGE.glob('*.py')))} files at the root")
    files = files_of_detect()
    print(f"scene.detect runs through {len(files)} files: {' '.join(files)}")


if __name__ == "__main__":
    main()
