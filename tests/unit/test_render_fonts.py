"""Labels in any script: a font that has them is found, else their numbers are drawn, and that is said once."""

from __future__ import annotations

import logging
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.environment import font_folders
from youtu_gguf.render import draw
from youtu_gguf.render.canvas import Canvas, caption, printable
from youtu_gguf.render.fonts import Fonts, Run, built_in_has, system_fonts

GREY = np.full((120, 200, 3), 128, np.uint8)
LATIN = "abcdefghijklmnopqrstuvwxyz ."


def tiny_font(characters: str, *, wide: bool = False) -> bytes:
    """Return a TrueType font in which each character is a bar of its own width; `wide` codes have 32 bits."""
    codes = sorted(map(ord, characters))
    bars = [30, *(100 + 900 * i // len(codes) for i in range(len(codes)))]
    glyphs = [
        struct.pack(">5hHH4B8h2x", 1, 0, 0, bar, 700, 3, 0, 1, 1, 1, 1, 0, bar, 0, -bar, 0, 0, 700, 0) for bar in bars
    ]
    if wide:
        groups = b"".join(struct.pack(">3I", code, code, i) for i, code in enumerate(codes, 1))
        cmap = struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(codes)) + groups
    else:
        ends = [*codes, 0xFFFF]
        deltas = [(i - code) % 0x10000 for i, code in enumerate(codes, 1)] + [1]
        n = len(ends)
        arrays = (*ends, 0, *ends, *deltas, *([0] * n))
        cmap = struct.pack(f">7H{len(arrays)}H", 4, 14 + 2 * len(arrays), 0, 2 * n, 0, 0, 0, *arrays)
    tables = {
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 10 if wide else 1, 12) + cmap,
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(">4I2H16x4h2H3h", 0x10000, 0, 0, 0x5F0F3CF5, 0, 1000, 0, 0, 1000, 700, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(">I3hH22xH", 0x10000, 800, -200, 0, 1000, len(bars)),
        b"hmtx": b"".join(struct.pack(">Hh", bar + 50, 0) for bar in bars),
        b"loca": b"".join(struct.pack(">I", 36 * i) for i in range(len(bars) + 1)),
        b"maxp": struct.pack(">IH", 0x10000, len(bars)) + struct.pack(">13H", 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    start = 12 + 16 * len(tables)
    index, data = b"", b""
    for tag, table in tables.items():
        index += struct.pack(">4s3I", tag, 0, start + len(data), len(table))
        data += table.ljust(-(-len(table) // 4) * 4, b"\0")
    return struct.pack(">I4H", 0x10000, len(tables), 64, 2, 48) + index + data


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder with fonts."""
    if sys.platform in ("win32", "darwin"):
        pytest.skip("fonts are where the system has them")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "nothing"))
    system_fonts.cache_clear()
    (tmp_path / "fonts" / "deep").mkdir(parents=True)
    yield tmp_path / "fonts"
    system_fonts.cache_clear()


@pytest.mark.parametrize("wide", [False, True])
def test_a_font_with_the_characters_is_found_at_any_depth(tmp_path: Path, wide: bool) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "some.ttf"
    file.write_bytes(tiny_font(f"天空{LATIN}", wide=wide))
    fonts = Fonts([tmp_path / "missing", tmp_path])
    assert fonts.runs("sky") == [Run("sky", None)]
    assert fonts.runs("天空") == [Run("天空", file)]
    assert fonts.runs("天 sky") == [Run("天 sky", file)]  # one font for all of it
    assert fonts.runs("天 SKY") == [Run("天", file), Run(" SKY", None)]
    assert fonts.have("天")
    assert not fonts.have("地")


def test_plain_fonts_with_many_characters_come_first(tmp_path: Path) -> None:
    for name in ("aaa.ttf", "NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "LastResort.otf"):
        (tmp_path / name).write_bytes(tiny_font("天"))
    (tmp_path / "NotoSansCJK-Black.otf").write_bytes(tiny_font("地"))
    assert Fonts([tmp_path]).runs("天") == [Run("天", tmp_path / "NotoSansCJK-Regular.ttc")]


def test_damaged_fonts_are_passed_over(tmp_path: Path) -> None:
    whole = tiny_font("天")
    for length in range(0, len(whole), 7):
        (tmp_path / f"cut{length}.ttf").write_bytes(whole[:length])
    (tmp_path / "text.ttf").write_text("a font")
    (tmp_path / "folder.ttf").mkdir()
    (tmp_path / "z.ttf").write_bytes(whole)
    assert Fonts([tmp_path]).have("天")


def test_a_label_is_drawn_in_a_font_that_has_it(folder: Path) -> None:
    (folder / "deep" / "some.ttf").write_bytes(tiny_font(f"天空{LATIN}"))
    assert printable("天空 SKY") == "天空 SKY"
    assert caption("天空", 0.5) == "天空 0.50"
    drawn, empty = (draw(GREY, yg.Boxes([[20, 60, 180, 110]], (text,))) for text in ("天空", "  "))
    plate = (drawn != empty).any(axis=-1)
    assert plate[:60].sum() > 100
    canvas = Canvas(GREY)
    assert canvas.text_size("天空")[0] > 1.4 * canvas.text_size("天")[0] > 0


def test_what_no_font_has_is_drawn_as_its_number_and_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "youtu_gguf.drawings"):
        assert printable("杯 cup\n") == "U+676F cup "
        assert printable("天空a天") == "U+5929 U+7A7AaU+5929"
        assert printable("🐈") == "U+1F408"
    (record,) = caplog.records
    assert "no font on this machine has a shape for some characters, such as 杯" in record.getMessage()
    assert "fonts-noto-cjk" in record.getMessage()
    assert "?" not in printable("天空" * 20)


def test_a_text_is_short_whatever_it_is_made_of(folder: Path) -> None:
    for text in ("x" * 500, "天" * 500, "天x" * 20):
        assert len(printable(text)) == 32
        assert printable(text).endswith("…")
        assert printable(printable(text)) == printable(text)


def test_letters_of_ascii_are_drawn_without_looking_for_fonts() -> None:
    assert all(built_in_has(chr(code)) for code in range(32, 127))
    fonts = Fonts([])
    assert fonts.runs("a cup 0.83…") == [Run("a cup 0.83…", None)]


def test_every_system_has_folders_of_fonts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("WINDIR", str(tmp_path / "windows"))
    for platform, folder in (("win32", "windows/Fonts"), ("darwin", "/System/Library/Fonts"), ("linux", "/usr/share")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("XDG_DATA_DIRS", raising=False)
        assert any(str(found).endswith(folder) or str(found).startswith(folder) for found in font_folders())
