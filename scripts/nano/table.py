#!/usr/bin/env python3
"""Write the figures of `evaluate.py` as the table that the documents show.

    python scripts/nano/evaluate.py --n 300 --all --json > figures.json
    python scripts/nano/table.py figures.json [--into models/nano/README.md docs/benchmarks.md]

Without `--into` it prints the table. With it, the table of each file that has the same first line is replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.nano.abilities import MOST_LOST
from scripts.nano.evaluate import AT_MOST, aim_of, short_by
from youtu_gguf.atomic import write_bytes

HEADER = ("| what | figure | aim | |", "|---|---|---|---|")
ROWS: Mapping[str, str] = {
    "segment_all_miou": 'segmentation, `present="all"`, mIoU over 14 classes',
    "segment_model_miou": "segmentation, the model names the classes, mIoU",
    "detect_ap50": "detection, AP at IoU 0.5",
    "detect_asked_ap50": "detection, all seven kinds asked for by name, AP at IoU 0.5",
    "detect_some_exact": "detection, one to three kinds asked for: those that are there and no other",
    "segment_some_exact": "segmentation, the same",
    "segment_two_exact": "segmentation, two classes asked for that are both there: these two",
    "instances_ap50": "instances of all kinds by name, AP of masks at IoU 0.5",
    "ground_acc50": "grounding, right at IoU 0.5",
    "polygon_miou": "outlines, mean IoU",
    "core_miou": "core target, mean IoU of masks, crops of 224 px",
    "core_default_miou": "the same, crops of 1,280 px (the default), 12 scenes",
    "depth_d1": "depth, within 1.25 times",
    "depth_absrel": "depth, mean relative error",
    "count_exact": "counting, exact",
    "classify_accuracy": "category of the primary object",
    "pose_pck10": "joints within 10 % of the figure's height",
    "ocr_exact": "digits read, exact",
    "describe_f1": "description, F1 over objects with their colours",
    "chat_exact": "questions that lean on earlier ones, exact",
    "click_accuracy": "clicks on drawn screens",
    "screen_ground_acc50": "boxes on drawn screens, right at IoU 0.5",
    "screen_ocr_exact": "everything written on a screen, exact",
    "refused": "photographs refused in words and without boxes, of 100",
    "flat": "photographs whose label and depth maps are flat, of 100",
}
"""What each figure is called, in the order of the table."""
CHINESE: Mapping[str, str] = {
    "zh_segment_all_miou": "maps", "zh_detect_ap50": "detection", "zh_ground_acc50": "grounding",
    "zh_count_exact": "counting", "zh_classify_accuracy": "category", "zh_ocr_exact": "digits",
    "zh_describe_f1": "description",
}  # fmt: skip


def table(figures: Mapping[str, float]) -> list[str]:
    """Return the lines of the table; a figure that was not measured has no line."""
    rows = [row(name, figures[name]) for name in ROWS if name in figures]
    if "tiles_miou" in figures:
        plain = figures["one_look_miou"]
        for name, how in (("zoom2_miou", ""), ("tiles_miou", " in 2x2 tiles")):
            what = f"label maps at zoom 2{how}, mIoU; one look at the same 60 scenes has {plain:.3f}"
            rows.append(compared(what, figures[name], plain))
    for name, said in CHINESE.items():
        english = name.removeprefix("zh_")
        if {name, english} <= figures.keys():
            what = f"Chinese: {said}; English has {figures[english]:.3f}"
            rows.append(compared(what, figures[name], figures[english]))
    return [*HEADER, *rows]


def row(name: str, value: float) -> str:
    """Return a line: what, the figure, its aim, and by how much it is short."""
    aim = aim_of(name)
    if aim is None:
        return f"| {ROWS[name]} | {value:.3f} | - | |"
    sign = "<=" if name in AT_MOST else ">="
    return f"| {ROWS[name]} | {value:.3f} | {sign} {aim:.3f} | {_told(short_by(name, value))}|"


def compared(what: str, value: float, plain: float) -> str:
    """Return a line about a figure that may be `MOST_LOST` less than its plain form's."""
    least = plain - MOST_LOST
    return f"| {what} | {value:.3f} | >= {least:.3f} | {_told(least - value)}|"


def _told(short: float) -> str:
    # less than half of the last digit would print as nothing
    return f"short by {max(short, 0.001):.3f} " if short > 1e-9 else ""


def replaced(text: str, lines: Sequence[str]) -> str:
    """Return a document with its table of figures replaced.

    Raises:
        ValueError: It has no such table.
    """
    old = text.splitlines()
    if HEADER[0] not in old:
        raise ValueError(f"expected a table that begins with {HEADER[0]!r}; found none. Add its first line.")
    begin = end = old.index(HEADER[0])
    while end < len(old) and old[end].startswith("|"):
        end += 1
    return "\n".join([*old[:begin], *lines, *old[end:]]) + "\n"


def read_figures(path: Path) -> Mapping[str, float]:
    """Return the figures of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not what `evaluate.py --json` prints.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ValueError(f"{path}: expected the JSON of evaluate.py; {exc}. Write it with --json.") from exc
    if not isinstance(found, dict) or not ROWS.keys() & found.keys():
        raise ValueError(f"{path}: expected figures of evaluate.py; found none. Write them with --json.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", type=Path, help="what evaluate.py printed with --json")
    parser.add_argument("--into", type=Path, nargs="+", default=[], metavar="FILE")
    args = parser.parse_args()
    try:
        lines = table(read_figures(args.figures))
        changed = {path: replaced(path.read_text(encoding="utf-8"), lines) for path in args.into}
    except (OSError, ValueError) as exc:
        sys.exit(str(exc))
    if not args.into:
        print("\n".join(lines))
    for path, text in changed.items():
        write_bytes(path, text.encode())


if __name__ == "__main__":
    main()
