"""Maps and masks as grey levels that other programs read, and as their numbers alone."""

import json
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.output import WRITERS, Source, encode, to_json
from youtu_gguf.output.depth_png import depth_levels
from youtu_gguf.output.index_png import grey_index_png
from youtu_gguf.types.colours import BACKGROUND, colour, index_colours

IDS = np.array([[0, 1, -1], [1, 1, 0]], np.int32)


def opened(png: bytes) -> tuple[npt.NDArray[Any], dict[str, str]]:
    """Return the levels of a PNG file as Pillow reads them, and OpenCV where there is no palette, and its texts."""
    with Image.open(BytesIO(png)) as image:
        image.load()  # checks the checksums, those of our own chunks included
        levels = np.asarray(image)
        if image.mode != "P":
            assert np.array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), levels)
        return levels, {str(key): str(text) for key, text in image.info.items() if isinstance(text, str)}


@pytest.mark.parametrize(
    ("values", "unit", "scale", "levels"),
    [
        ([[0, 1.2344, 65.535]], "m", 1 / 1000, [[0, 1234, 65535]]),
        ([[0, 1, 65.5360]], "m", 1 / 256, [[0, 256, 16777]]),
        ([[0, 1, 255.99609375]], "m", 1 / 256, [[0, 256, 65535]]),
        ([[0, 51.2, 512]], "m", 512 / 65535, [[0, 6554, 65535]]),
        ([[0, 0.5, 2]], "relative", 2 / 65535, [[0, 16384, 65535]]),
        ([[0.00001, 0, 3]], "m", 1 / 1000, [[1, 0, 3000]]),
        ([[-1, np.nan, np.inf]], "m", 1 / 1000, [[0, 0, 0]]),
        ([[0, 0]], "relative", 1.0, [[0, 0]]),
    ],
    ids=["millimetres", "KITTI", "KITTI's farthest", "farther", "relative", "nearest", "invalid", "nothing relative"],
)
def test_distances_become_levels_by_a_scale_that_is_told(values: Any, unit: Any, scale: float, levels: Any) -> None:
    depth = depth_levels(yg.DepthMap(values, unit))
    found, texts = opened(depth.to_png())

    assert np.array_equal(depth.levels, found)
    assert found.dtype == np.uint16
    assert found.tolist() == levels
    assert texts == {"scale": repr(scale), "unit": unit, "invalid": "0"}


def test_levels_give_distances_back_within_half_a_level() -> None:
    values = np.random.default_rng(0).uniform(0.1, 60, (40, 50)).astype(np.float32)
    depth = depth_levels(yg.DepthMap(values, "m"))
    # float32 itself is exact to 4 micrometres at 60 m.
    assert np.abs(depth.levels * depth.scale - values).max() <= depth.scale / 2 + 4e-6


@pytest.mark.parametrize(
    ("name", "values", "levels", "factor"),
    [
        ("depth.png", [[0, 1.2344, 65.535]], [[0, 1234, 65535]], 1000),
        ("depth.png", [[0, 1, 65.536]], [[0, 256, 16777]], 256),
        ("ros.png", [[0, 1.2344, 65.535]], [[0, 1234, 65535]], 1000),
        ("kitti.png", [[np.nan, 1, 255.99609375]], [[0, 256, 65535]], 256),
        ("tum.png", [[np.inf, 1, 13.107]], [[0, 5000, 65535]], 5000),
    ],
)
def test_a_depth_image_is_in_metres_by_the_factor_beside_it(
    name: str, values: Any, levels: Any, factor: int, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / f"x.{name}", yg.DepthMap(values, "m"), Source(focal_px=2, focal_from="exif"))
    found, texts = opened((tmp_path / f"x.{name}").read_bytes())
    assert found.tolist() == levels
    assert texts == {"scale": repr(1 / factor), "unit": "m", "invalid": "0"}
    beside = tmp_path / f"x.{name.removesuffix('.png')}.json"
    assert json.loads(beside.read_text("utf-8")) == {
        "unit": "m", "factor": factor, "invalid": 0, "width": 3, "height": 1,
        "fx": 2, "fy": 2, "cx": 1.5, "cy": 0.5, "focal_from": "exif",
    }  # fmt: skip
    assert len([*tmp_path.iterdir()]) == 2


@pytest.mark.parametrize(
    ("name", "farthest", "reach"),
    [
        ("depth.png", 256, "255.996"),
        ("ros.png", 65.54, "65.535"),
        ("kitti.png", 256, "255.996"),
        ("tum.png", 13.2, "13.107"),
    ],
)
def test_what_a_depth_image_does_not_reach_is_refused(name: str, farthest: float, reach: str, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=rf"a {name} reaches {reach} m; got a distance of {farthest:.3f} m"):
        WRITERS[name](tmp_path / f"x.{name}", yg.DepthMap([[1, farthest]], "m"))
    with pytest.raises(yg.InputError, match=rf"a {name} needs metres; got relative distances"):
        WRITERS[name](tmp_path / f"x.{name}", yg.DepthMap([[1, 2]], "relative"))
    assert not [*tmp_path.iterdir()]


def test_a_label_map_is_written_as_numbers_of_classes() -> None:
    levels, texts = opened(encode(yg.LabelMap(IDS, ("sky", "草")), "index.png"))

    assert levels.dtype == np.uint8
    assert levels.tolist() == [[0, 1, 255], [1, 1, 0]]
    assert (json.loads(texts["classes"]), texts["background"]) == (["sky", "草"], "255")


def test_levels_have_the_colours_of_the_drawing_and_their_names_beside_them(tmp_path: Path) -> None:
    WRITERS["index.png"](tmp_path / "scene.index.png", yg.LabelMap(IDS, ("sky", "草")))
    read = cv2.imread(str(tmp_path / "scene.index.png"), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read[..., ::-1], index_colours(IDS, 2))
    assert json.loads((tmp_path / "scene.classes.json").read_text("utf-8")) == {
        "names": ["sky", "草"], "first": 0, "background": 255,
        "palette": [[*colour(0)], [*colour(1)]], "background_colour": [*BACKGROUND],
    }  # fmt: skip


def test_a_file_of_another_name_has_its_names_beside_it_too_and_a_mask_has_none(tmp_path: Path) -> None:
    found = yg.Instances(np.ones((1, 2, 2), bool), np.zeros((1, 4)), ("cup",))
    WRITERS["index.png"](tmp_path / "objects.png", found)
    WRITERS["index.png"](tmp_path / "mask.index.png", yg.Mask(IDS == 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.index.png", "objects.classes.json", "objects.png"]
    assert json.loads((tmp_path / "objects.classes.json").read_text("utf-8"))["first"] == 1


def test_programs_that_decode_colours_get_grey_levels() -> None:
    labels = yg.LabelMap(IDS, ("sky", "草"))
    with Image.open(BytesIO(grey_index_png(labels))) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image), opened(encode(labels, "index.png"))[0])


@pytest.mark.parametrize(("n", "dtype", "background"), [(254, np.uint8, 255), (255, np.uint16, 65535)])
def test_many_classes_take_16_bits(n: int, dtype: Any, background: int) -> None:
    ids = np.array([[n - 1, -1]], np.int32)
    levels, texts = opened(encode(yg.LabelMap(ids, tuple(map(str, range(n)))), "index.png"))

    assert levels.dtype == dtype
    assert levels.tolist() == [[n - 1, background]]
    assert texts["background"] == str(background)


def test_a_mask_is_white_on_black() -> None:
    levels, texts = opened(encode(yg.Mask(IDS == 1), "index.png"))
    assert (levels.tolist(), texts) == ([[0, 255, 0], [255, 255, 0]], {})


def test_objects_are_numbered_and_the_smaller_one_is_in_front() -> None:
    masks = np.array([[[1, 1, 1, 0]], [[0, 0, 1, 1]]], np.bool_)
    found = yg.Instances(masks, [[0, 0, 3, 1], [2, 0, 4, 1]], ("bus", "car"))
    levels, texts = opened(encode(found, "index.png"))

    assert (levels.dtype, levels.tolist()) == (np.uint8, [[1, 1, 2, 2]])
    assert (json.loads(texts["labels"]), texts["background"]) == (["bus", "car"], "0")


@pytest.mark.parametrize(("n", "dtype"), [(254, np.uint8), (255, np.uint16)])
def test_many_objects_take_16_bits(n: int, dtype: Any) -> None:
    found = yg.Instances(np.eye(n, dtype=np.bool_)[:, None], np.zeros((n, 4)), ("cup",) * n)
    levels, _ = opened(encode(found, "index.png"))
    assert (levels.dtype, levels[0, -1]) == (dtype, n)


def test_numbers_alone_are_little_endian_row_by_row() -> None:
    assert encode(yg.DepthMap([[1, 2], [0, 4]], "m"), "f32") == np.array([1, 2, 0, 4], "<f4").tobytes()
    assert encode(yg.LabelMap(IDS, ("a", "b")), "i32") == np.array([0, 1, -1, 1, 1, 0], "<i4").tobytes()


def test_words_alone_are_a_line() -> None:
    assert encode(yg.Text("杯 \ud83d"), "txt") == "杯 \\ud83d\n".encode()
    assert encode(yg.Count(3), "txt") == b"3\n"


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (yg.Text("a cup"), "png"),
        (yg.Boxes((), ()), "depth.png"),
        (yg.LabelMap(IDS, ("a", "b")), "f32"),
        (yg.DepthMap([[1]], "m"), "index.png"),
        (yg.Boxes((), ()), "txt"),
    ],
)
def test_a_value_without_a_form_in_a_format_is_refused(result: yg.Result, name: str, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=rf"the format {name} is for .*; got a {type(result).__name__}\. Choose"):
        WRITERS[name](tmp_path / "x", result)
    assert list(tmp_path.iterdir()) == []


def test_a_map_without_pixels_is_no_image() -> None:
    with pytest.raises(yg.InputError, match="needs pixels"):
        encode(yg.DepthMap(np.zeros((0, 3)), "m"), "depth.png")


def test_a_format_that_is_unknown_is_refused() -> None:
    with pytest.raises(yg.InputError, match=r"a format among txt, json, .*; got 'gif'"):
        encode(yg.Text("a cup"), "gif")


MASK = yg.Mask(np.array([[0, 1, 1], [0, 1, 0]]))


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("runs", {"runs": [[0, 1], [1, 2], [0, 1], [1, 1], [0, 1]]}),
        ("rle", {"mask": {"size": [2, 3], "counts": "231"}}),
        ("none", {}),
    ],
)
def test_json_tells_masks_in_the_form_that_is_asked_for(form: Any, told: dict[str, Any]) -> None:
    keys = ("runs", "mask", "polygon", "png")
    found = yg.Instances(MASK.bits[None], [[1, 0, 3, 2]], ("cup",))
    whole, item = to_json(MASK, masks=form), to_json(found, masks=form)["instances"][0]
    assert {key: whole[key] for key in keys if key in whole} == told
    assert {key: item[key] for key in keys if key in item} == told
    assert (whole["xyxy"], whole["area"]) == ([1, 0, 3, 2], 3)


def test_json_tells_masks_as_outlines_or_as_a_png() -> None:
    square = yg.Mask(np.pad(np.ones((4, 5), np.bool_), ((1, 0), (2, 0))))
    assert sorted(to_json(square, masks="polygon")["polygon"][0]) == [[2, 1], [2, 5], [7, 1], [7, 5]]
    png = to_json(square, masks="png")["png"]
    assert encode(square, "index.png") == b64decode(png)


@pytest.mark.parametrize("form", ["rle", "polygon", "png", "none"])
def test_json_tells_a_label_map_in_runs_or_not_at_all(form: Any) -> None:
    labels = yg.LabelMap(IDS, ("a", "b"))
    assert "runs" in to_json(labels)
    assert "runs" not in to_json(labels, masks=form)


def test_an_empty_mask_has_no_extent() -> None:
    assert to_json(yg.Mask(np.zeros((2, 2))))["xyxy"] is None
