"""NYUv2 and DDAD as they lie on disks, and the 16-bit files that their distances are in: good, broken and hostile."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.layouts import ddad, nyuv2
from youtu_gguf.evaluate import Data
from youtu_gguf.evaluate.data.depth_levels import DepthFile, read_distances
from youtu_gguf.evaluate.data.depth_sets import NYUV2_LIST, read_ddad, read_nyuv2
from youtu_gguf.output.png import grey_png

LEVELS = np.array([[0, 1, 500], [1000, 2000, 65535]], np.uint16)


def ids(data: Data) -> list[str]:
    return [sample.id for sample in data.samples]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_levels_are_distances_by_the_data_sets_scale() -> None:
    found = read_distances(grey_png(LEVELS), "a.png", 1000)
    assert found.unit == "m"
    assert found.values.dtype == np.float64
    assert found.values.tolist() == (LEVELS * 0.001).tolist()


def test_a_file_that_says_its_scale_is_read_by_that() -> None:
    found = read_distances(grey_png(LEVELS, {"scale": "0.00390625", "unit": "m"}), "a.png", 1000)
    assert found.values.tolist() == (LEVELS / 256).tolist()
    assert read_distances(grey_png(LEVELS, {"scale": "0.5", "unit": "relative"}), "a.png", 1000).unit == "relative"


@pytest.mark.parametrize("texts", [{"scale": "0"}, {"scale": "nan"}, {"scale": "x"}, {"scale": "1", "unit": "inch"}])
def test_texts_that_make_no_sense_are_refused(texts: dict[str, str]) -> None:
    with pytest.raises(yg.InputError, match=r'a.png: expected the texts "scale"'):
        read_distances(grey_png(LEVELS, texts), "a.png", 1000)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a PNG file"),
        (b"\x89PNG\r\n\x1a\n", "expected a PNG file"),
        (jpeg(), "expected a PNG file"),
        (grey_png(LEVELS)[:-20], "ends at byte"),
        (grey_png(LEVELS)[:40], "ends at byte"),
        (grey_png(np.zeros((3, 4), np.uint8)), "expected a PNG file of 16-bit grey levels; it has fewer bits"),
        (bomb(65_535, 65_535), "its header says 65535x65535"),
        (bomb(2**31 - 1, 2**31 - 1), "its header says 2147483647x2147483647"),
        (bomb(4, 4), "expected 4 rows of pixels|cannot be decoded|cannot hold"),
        (bomb(0, 4), "its header says 0x4"),
    ],
)
def test_files_that_hold_no_distances_are_refused_before_memory_is_taken(
    data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(yg.InputError, match=f"a.png.*({message})|({message}).*a.png"):
        DepthFile(tmp_path / "a.png", 1000).read()
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_read_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    png = bytearray(grey_png(rng.integers(0, 65536, (9, 8)).astype(np.uint16), {"scale": "0.001", "unit": "m"}))
    for place in rng.integers(8, len(png), 1 + seed % 4):
        png[place] = rng.integers(256)
    try:
        assert read_distances(bytes(png), "a.png", 1000).values.shape
    except yg.InputError as exc:
        assert "a.png" in str(exc)


def test_nyuv2_is_found_where_it_usually_lies(tmp_path: Path) -> None:
    nyuv2.export(tmp_path, 3)
    expected = ["kitchen/rgb_00000", "kitchen/rgb_00002", "office/rgb_00001"]
    data = read_nyuv2(tmp_path, "test")
    assert ids(data) == expected
    assert all(sample.image.is_file() for sample in data.samples)
    assert ids(read_nyuv2(tmp_path / "official_splits" / "test", "test")) == expected
    (tmp_path / "official_splits" / "test").rename(tmp_path / "test")
    assert ids(read_nyuv2(tmp_path, "test")) == expected
    scene = tmp_path / "test" / "office"
    (scene / "sync_depth_00001.png").rename(scene / "depth_00001.png")
    assert ids(read_nyuv2(scene, "test")) == ["rgb_00001"]


def test_a_list_says_which_images_there_are(tmp_path: Path) -> None:
    nyuv2.export(tmp_path, 3)
    place = tmp_path / "official_splits" / "test"
    lines = ["office/rgb_00001.png office/sync_depth_00001.png 518.8579", ""]
    (place / NYUV2_LIST).write_text("\n".join(lines))
    assert ids(read_nyuv2(tmp_path, "test")) == ["office/rgb_00001"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("office/rgb_00001.png", "line 2: expected an image and a file of distances"),
        ("../a.png office/sync_depth_00001.png", "line 2: expected the name of a file below"),
        ("office/rgb_00001.png C:/sync_depth_00001.png", "line 2: expected the name of a file below"),
        ("office/rgb_9.png office/sync_depth_00001.png", "line 2: expected the image .*; there is no such file"),
        ("office/rgb_00001.png office/none.png", "line 2: expected the distances of the image in .*none.png"),
        ("kitchen/rgb_00000.png office/sync_depth_00001.png", "expected one image called kitchen/rgb_00000"),
    ],
)
def test_a_broken_list_is_told_with_its_line(line: str, message: str, tmp_path: Path) -> None:
    nyuv2.export(tmp_path, 2)
    listed = tmp_path / "official_splits" / "test" / NYUV2_LIST
    listed.write_text(f"kitchen/rgb_00000.png kitchen/sync_depth_00000.png 518\n{line}\n")
    with pytest.raises(yg.InputError, match=message):
        read_nyuv2(tmp_path, "test")


def test_data_that_are_not_there_are_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"Convert nyu_depth_v2_labeled.mat first"):
        read_nyuv2(tmp_path, "test")
    with pytest.raises(yg.InputError, match=r"expected images as SCENE/rgb/CAMERA_01/NAME.png"):
        read_ddad(tmp_path, "val")
    with pytest.raises(yg.InputError, match="expected the folder of a data set"):
        read_ddad(tmp_path / "none", "val")
    (tmp_path / "val.txt").write_text("\n")
    with pytest.raises(yg.InputError, match=r"val.txt: expected a line for each image; it is empty"):
        read_ddad(tmp_path, "val")
    (tmp_path / "rgb_1.jpg").write_bytes(b"")
    with pytest.raises(yg.InputError, match=r"rgb_1.jpg: expected the distances of the image in .*sync_depth_1.png or"):
        read_nyuv2(tmp_path, "test")


def test_ddad_is_read_by_cameras_and_by_its_list(tmp_path: Path) -> None:
    ddad.export(tmp_path, 2)
    ahead = ["000150/rgb/CAMERA_01/15616458249936530", "000151/rgb/CAMERA_01/15616458249936531"]
    assert ids(read_ddad(tmp_path, "val")) == ahead
    assert len(read_ddad(tmp_path, "val-all").samples) == 4
    names = [f"{name}.png {name.replace('rgb', 'depth')}.png" for name in ahead]
    (tmp_path / "val.txt").write_text(names[1] + "\n")
    assert ids(read_ddad(tmp_path, "val")) == ahead[1:]
    (tmp_path / "val.txt").write_text(names[1].replace("CAMERA_01", "CAMERA_05") + "\n")
    with pytest.raises(yg.InputError, match="expected images of CAMERA_01; there are none"):
        read_ddad(tmp_path, "val")
    assert len(read_ddad(tmp_path, "val-all").samples) == 1
