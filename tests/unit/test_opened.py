"""An open image: closed once and for all, shown in one line and as itself, its results drawn and written."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.engines.base import Piece
from youtu_gguf.output import WRITERS, Source, Writer
from youtu_gguf.render import draw
from youtu_gguf.scene.stream import TextStream
from youtu_gguf.testing import FakeEngine

RGB = np.random.default_rng(0).integers(0, 256, (50, 100, 3), dtype=np.uint8)
BOXES = yg.Boxes([[10, 5, 50, 35]], ("cup",))


def open_model() -> yg.Model:
    return yg.load(engine=FakeEngine({"cup": "a red cup"}))


@pytest.fixture
def scene() -> yg.Scene:
    return open_model().open(RGB)


@pytest.fixture
def filed(tmp_path: Path) -> yg.Scene:
    """A scene that was opened from a file."""
    Image.fromarray(RGB).save(tmp_path / "street.png")
    return open_model().open(tmp_path / "street.png")


def test_a_scene_is_of_the_image_as_it_was_opened() -> None:
    frame = RGB.copy()
    scene = open_model().open(frame)
    frame[:] = 0
    assert np.array_equal(scene.rgb, RGB)
    assert scene.patches().hidden.any()
    assert np.array_equal(scene.patches().hidden, open_model().open(RGB).patches().hidden)
    with pytest.raises(ValueError, match="read-only"):
        scene.rgb[:] = 0


def test_a_scene_is_closed_behind_its_block_and_may_be_closed_again() -> None:
    with open_model() as model, model.open(RGB) as scene:
        assert scene.ask("cup") == "a red cup"
    scene.close()
    with pytest.raises(yg.EngineError, match=r"this scene is closed\. Open the image again"):
        scene.ask("cup")


def test_reprs_tell_what_is_open(filed: yg.Scene) -> None:
    model = open_model()
    assert repr(model) == "Model(fake)"
    scene = model.open(RGB)
    assert repr(scene) == "Scene(100x50, 8 image tokens)"
    scene.close()
    assert repr(scene) == "Scene(100x50, 8 image tokens, closed)"
    assert repr(filed) == "Scene(street.png, 100x50, 8 image tokens)"


def test_notebooks_show_the_image(scene: yg.Scene) -> None:
    shown = scene._repr_png_()
    assert shown is not None
    with Image.open(BytesIO(shown)) as image:
        assert np.array_equal(np.asarray(image), RGB)


def test_a_drawing_is_an_image_of_pillow(scene: yg.Scene) -> None:
    drawing = scene.draw(BOXES)
    assert isinstance(drawing, Image.Image)
    assert np.array_equal(np.asarray(drawing), draw(RGB, BOXES))
    assert np.array_equal(scene.rgb, RGB)


def test_a_count_is_drawn_as_the_boxes_that_were_counted(scene: yg.Scene) -> None:
    assert scene.draw(yg.Count(1, boxes=BOXES)).tobytes() == scene.draw(BOXES).tobytes()


@pytest.mark.parametrize("value", [yg.Text("a cup"), yg.Count(3)])
def test_words_have_no_drawing(scene: yg.Scene, value: yg.Result) -> None:
    with pytest.raises(yg.InputError, match=r"has no drawing\. Print it, or write it as JSON"):
        scene.draw(value)


def test_one_row_is_drawn_as_a_value_of_one_row(scene: yg.Scene, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"got Box\(.*take value\[i:i \+ 1\]"):
        scene.draw(BOXES[0])  # type: ignore[arg-type]
    with pytest.raises(yg.InputError, match=r"got Box\(.*value\[i:i \+ 1\]"):
        scene.save(BOXES[0], tmp_path / "box.json")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        yg.Mask(np.ones((5, 9), bool)),
        yg.LabelMap(np.zeros((5, 9)), ("cup",)),
        yg.Instances(np.ones((1, 5, 9), bool), np.zeros((1, 4)), ("cup",)),
    ],
)
def test_a_map_of_another_image_is_not_drawn(scene: yg.Scene, value: yg.Result) -> None:
    with pytest.raises(yg.InputError, match="expected a result of this image, 100x50; got one of an image of 9x5"):
        scene.draw(value)


def test_a_value_is_written_as_its_suffix_says(filed: yg.Scene, tmp_path: Path) -> None:
    for name in ("cars.png", "cars.npz", "cars.JSON"):
        filed.save(BOXES, tmp_path / name)
    with Image.open(tmp_path / "cars.png") as image:
        assert np.array_equal(np.asarray(image), draw(RGB, BOXES))
    with np.load(tmp_path / "cars.npz") as arrays:
        assert arrays["labels"].tolist() == ["cup"]
    form = json.loads((tmp_path / "cars.JSON").read_text(encoding="utf-8"))
    assert (form["image"], form["boxes"][0]["label"]) == (str(tmp_path / "street.png"), "cup")


def test_maps_are_written_as_levels_and_numbers_where_the_name_says_so(scene: yg.Scene, tmp_path: Path) -> None:
    depth, labels = yg.DepthMap(np.full((50, 100), 2.5), "m"), yg.LabelMap(np.ones((50, 100)), ("sky", "road"))
    scene.save(depth, tmp_path / "street.depth.png")
    scene.save(labels, tmp_path / "street.INDEX.png")
    scene.save(depth, tmp_path / "street.f32")
    scene.save(yg.Text("a cup"), tmp_path / "street.txt")
    with Image.open(tmp_path / "street.depth.png") as image:
        assert (image.size, image.getpixel((0, 0)), image.info["scale"]) == ((100, 50), 2500, "0.001")
    assert (tmp_path / "street.classes.json").exists()
    with Image.open(tmp_path / "street.INDEX.png") as image:
        assert (image.mode, image.getpixel((0, 0))) == ("P", 1)
    assert np.array_equal(np.fromfile(tmp_path / "street.f32", "<f4").reshape(50, 100), depth.values)
    assert (tmp_path / "street.txt").read_text(encoding="utf-8") == "a cup\n"
    with pytest.raises(yg.InputError, match=r"the format depth\.png is for DepthMap; got a LabelMap"):
        scene.save(labels, tmp_path / "labels.depth.png")


def test_points_in_space_take_the_focal_length_that_is_given_for_them(scene: yg.Scene, tmp_path: Path) -> None:
    depth = yg.DepthMap(np.full((50, 100), 2.5), "m")
    with pytest.raises(yg.InputError, match="needs the focal length in pixels"):
        scene.save(depth, tmp_path / "street.ply")
    scene.save(depth, tmp_path / "street.ply", focal_px=80)
    scene.save(depth, tmp_path / "assumed.ply", focal_px="assumed")
    told = [
        (tmp_path / name).read_bytes().split(b"comment")[2].split(b"\n")[0] for name in ("street.ply", "assumed.ply")
    ]
    assert told == [b" focal length 80.00 px (given)", b" focal length 67.19 px (assumed)"]


def test_a_named_format_comes_before_the_suffix(scene: yg.Scene, tmp_path: Path) -> None:
    scene.save(BOXES, str(tmp_path / "cars.txt"), format="json")
    assert json.loads((tmp_path / "cars.txt").read_text(encoding="utf-8"))["type"] == "Boxes"


def test_the_image_itself_is_never_written_over(filed: yg.Scene, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.raises(yg.InputError, match="the image itself"):
        filed.save(BOXES, tmp_path / "inside" / ".." / "street.png")
    with Image.open(tmp_path / "street.png") as image:
        assert np.array_equal(np.asarray(image), RGB)


@pytest.mark.parametrize(
    ("name", "form", "told"),
    [
        ("cars.gif", None, r"ends in \.txt, \.json, \.npz, \.png, .*; got .*cars\.gif"),
        ("cars", None, r"ends in \.txt, \.json"),
        ("cars.png", "gif", "format among txt, json, npz, png, .*; got 'gif'"),
        ("cars.png", ["png"], "format among txt"),
    ],
)
def test_what_cannot_be_written_is_refused(scene: yg.Scene, tmp_path: Path, name: str, form: str, told: str) -> None:
    with pytest.raises(yg.InputError, match=told):
        scene.save(BOXES, tmp_path / name, format=form)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_fault_of_the_value(scene: yg.Scene, tmp_path: Path) -> None:
    with pytest.raises(yg.OutputError, match="folder you may write to"):
        scene.save(BOXES, tmp_path / "no" / "cars.png")


def test_the_longest_suffix_that_is_known_names_the_format(
    scene: yg.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(result: yg.Result, source: Source) -> bytes:
        return f"{result} {source.pixels('this').shape}".encode()

    monkeypatch.setitem(WRITERS, "coco.json", Writer("coco.json", "application/json", (yg.Boxes,), shown))
    scene.save(BOXES, tmp_path / "my.cars.Coco.json")
    assert (tmp_path / "my.cars.Coco.json").read_text(encoding="utf-8") == "Boxes(1: cup) (50, 100, 3)"


def test_a_drawing_needs_the_image(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match="needs the image"):
        WRITERS["png"](tmp_path / "cars.png", BOXES)


def test_a_stream_ends_behind_its_block_and_may_be_closed_again(scene: yg.Scene) -> None:
    with scene.ask("cup", stream=True) as pieces:
        assert next(pieces) == "a "
        assert repr(pieces) == "TextStream(finish='none')"
    pieces.close()
    assert list(pieces) == []


def test_a_closed_stream_gives_nothing_more_whatever_feeds_it() -> None:
    stream = TextStream(iter([Piece("a"), Piece("b", finish="stop")]))
    assert next(stream) == "a"
    stream.close()
    assert (list(stream), stream.finish) == ([], "none")
