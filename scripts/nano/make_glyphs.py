#!/usr/bin/env python3
"""Render the letters of drawn screens and signs into `glyphs.png` and `glyphs.json`, once and for all machines.

    python scripts/nano/make_glyphs.py /usr/share/fonts/opentype/noto

The folder is that of Debian's package fonts-noto-cjk: Noto Sans CJK, SIL Open Font License 1.1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.nano.glyphs import ATLAS, HEIGHT_PX, TABLE
from scripts.nano.screen_words import WORDS

FILES = ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc")
SIMPLIFIED_CHINESE = 2
"""Its number among the fonts of these files."""
EM_PX = 27
"""With it, a line of both scripts is `HEIGHT_PX` high."""
LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:-@"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", type=Path)
    args = parser.parse_args()
    if missing := [name for name in FILES if not (args.fonts / name).is_file()]:  # Pillow would look for them elsewhere
        parser.error(f"expected the fonts {' and '.join(FILES)} in {args.fonts}; {' and '.join(missing)} is not there.")
    letters = "".join(sorted(set(LATIN) | {letter for words in WORDS.values() for word in words for letter in word}))
    rows, table = [], []
    for name in FILES:
        font = ImageFont.truetype(str(args.fonts / name), EM_PX, index=SIMPLIFIED_CHINESE)
        places, left, parts = {}, 0, []
        for letter in letters:
            width = max(1, round(font.getlength(letter)))
            cell = Image.new("L", (width, HEIGHT_PX))
            ImageDraw.Draw(cell).text((0, HEIGHT_PX - 8), letter, 255, font, anchor="ls")
            places[letter] = (left, width)
            left += width
            parts.append(np.asarray(cell))
        rows.append(np.hstack(parts))
        table.append(places)
    atlas = np.zeros((len(rows) * HEIGHT_PX, max(row.shape[1] for row in rows)), np.uint8)
    for number, row in enumerate(rows):
        atlas[number * HEIGHT_PX : (number + 1) * HEIGHT_PX, : row.shape[1]] = row
    Image.fromarray(atlas).save(ATLAS, optimize=True)
    TABLE.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
