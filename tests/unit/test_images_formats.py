"""Files of a fixed list of formats are read, and none starts a program or is given to what others have registered."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from youtu_gguf.batch.paths import find_images
from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import FORMATS, HEIF, SUFFIXES
from youtu_gguf.images.load import load

PICTURE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8))
WRITTEN = sorted({*FORMATS} - {HEIF, "PSD"})
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 10\n%%EndComments\nshowpage\n"
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA"
    "AAAERAAAEAAQAAAAABoQABAAAAAAAAACkAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAA"
    "AADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkA"
    "AAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    "AAAoY2xhcAAAADAAAAABAAAAIAAAAAH////wAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAD"
    "FtZGF0AAAAJSgBrxOA5TH3/5kk/36M/yRksEs/ugPurEv6JDv4Sw+soo9pz8A="
)
"""48x32: red on the left, blue on the right; written by pillow-heif."""
HEIC_HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


@cache
def written(format_: str) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, format_)
    return buffer.getvalue()


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **_: object) -> None:
        raise AssertionError(f"started {args}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)


@pytest.mark.parametrize("format_", WRITTEN)
def test_every_format_is_read_whatever_its_name(format_: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    path.write_bytes(written(format_))
    with Image.open(path) as image:
        assert load(path).shape == load(image).shape == (*image.size, 3)


@pytest.mark.parametrize("format_", WRITTEN)
def test_a_file_that_was_cut_off_is_read_or_an_input_error(format_: str) -> None:
    whole = written(format_)
    for length in range(0, len(whole), max(1, len(whole) // 12)):
        try:
            assert load(whole[:length]).shape[2] == 3
        except InputError as error:
            assert str(error)


def test_every_image_that_can_be_read_is_found_in_folders(tmp_path: Path) -> None:
    names = sorted(f"picture{suffix}" for suffix in SUFFIXES)
    for name in (*names, "drawing.eps", "text.pdf", "drawing.wmf"):
        (tmp_path / name).touch()
    assert [path.name for path in find_images([str(tmp_path)])] == names
    assert {".avif", ".heic", ".jp2", ".tga"} <= SUFFIXES


@pytest.mark.parametrize("name", ["picture.eps", "picture.png"])
def test_a_file_that_a_program_would_read_is_refused(name: str, tmp_path: Path, no_programs: None) -> None:
    path = tmp_path / name
    path.write_bytes(EPS)
    for source in (path, EPS):
        with pytest.raises(InputError, match="of a format that is not read here"):
            load(source)


def test_a_pillow_image_that_a_program_would_read_is_refused_before_it_is(no_programs: None) -> None:
    image = Image.open(io.BytesIO(EPS))
    with pytest.raises(InputError, match="is of EPS"):
        load(image)
    assert image.tile  # still to be read


def test_what_others_register_with_pillow_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    Image.init()
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN, "OTHER": (asked.append, lambda _: True)})
    monkeypatch.setattr(Image, "ID", ["OTHER", *Image.ID])
    with pytest.raises(InputError):
        load(b"OTHER")
    assert load(written("PNG")).shape == (16, 16, 3)
    assert not asked


def test_without_the_extra_a_heic_file_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(InputError, match=r'pip install "youtu_gguf\[heic\]"'):
        load(HEIC_HEADER)


def test_a_broken_heic_file_is_an_input_error() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(InputError, match="cannot be decoded"):
        load(HEIC_HEADER)


def test_a_heic_file_is_read_with_the_extra() -> None:
    pytest.importorskip("pi_heif")
    rgb = load(HEIC)
    assert rgb.shape == (32, 48, 3)
    assert rgb[16, 8].tolist() == pytest.approx([230, 40, 40], abs=30)
    assert rgb[16, 40].tolist() == pytest.approx([40, 40, 230], abs=30)


def test_a_jpeg_is_opened_without_the_decoders_of_other_formats() -> None:
    code = """
import io, sys
from PIL import Image
buffer = io.BytesIO()
Image.new("RGB", (8, 8)).save(buffer, "JPEG")
from youtu_gguf.images.load import load
load(buffer.getvalue())
print([name for name in ("EpsImagePlugin", "PdfImagePlugin", "WmfImagePlugin") if f"PIL.{name}" in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
