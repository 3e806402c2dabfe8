"""Depth as a task: scales, focal lengths and zooms, on a fake whose every token lies at a distance of its own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.cli.results import lines
from youtu_gguf.decode.depth import bins_to_depth
from youtu_gguf.facts import DEPTH_SCALES, N_BINS
from youtu_gguf.output import Source, encode, to_json
from youtu_gguf.testing import FakeEngine

# The redder, the farther: -(bin - 500 - 400 r)^2 less what is the same for all bins, with r in -1..1 as the state.
BINS = np.arange(1, N_BINS + 1, dtype=np.float32) - 500
HEAD = np.concatenate([np.zeros((1, 3), np.float32), np.stack([800 * BINS, 0 * BINS, -(BINS**2)], 1)])
VOCABULARY = {f"<custom_{b}>": b for b in range(1, N_BINS + 1)}
# 96x64 px, prepared as they are: red 0 on the left, 255 on the right; blue is 255, a state of 1, everywhere.
IMAGE = np.full((64, 96, 3), 255, np.uint8)
IMAGE[:, :32, 0] = 0
NEAR, FAR = bins_to_depth([100, 900], DEPTH_SCALES["open"])


def open_scene(image: object = IMAGE, **engine: object) -> yg.Scene:
    return yg.load(engine=FakeEngine(head=HEAD, vocabulary=VOCABULARY, **engine)).open(image)  # type: ignore[arg-type]


def with_focal(focal_35mm: int, image: np.ndarray = IMAGE) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0xA405] = focal_35mm
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


FILE = with_focal(75)
FILE_FOCAL_PX = 75 / np.hypot(36, 24) * np.hypot(96, 64)  # 200 px


def ends(depth: yg.DepthMap) -> list[float]:
    return [float(depth.values[32, 1]), float(depth.values[32, 94])]


@pytest.mark.parametrize("scale", list(DEPTH_SCALES))
@pytest.mark.parametrize(("zoom", "tiles"), [(1, (1, 1)), (2, (1, 1)), (1, (3, 2)), (2, (2, 2)), ("auto", (1, 1))])
def test_every_scale_gives_its_distances_at_every_zoom(scale: str, zoom: float, tiles: tuple[int, int]) -> None:
    depth = open_scene().depth(scale=scale, zoom=zoom, tiles=tiles)
    assert ends(depth) == pytest.approx(bins_to_depth([100, 900], DEPTH_SCALES[scale]), rel=1e-4)
    assert (depth.unit, depth.focal_px) == ("relative" if scale == "open" else "m", None)


def test_a_focal_length_makes_metres_and_is_told() -> None:
    depth = open_scene().depth(focal_px=1000)
    assert ends(depth) == pytest.approx([NEAR / 2, FAR / 2], rel=1e-4)
    assert (depth.unit, depth.focal_px) == ("m", 1000)
    assert to_json(depth)["focal_px"] == 1000
    assert "(m by a focal length of 1000 px)" in next(lines(depth))


def test_the_focal_length_of_the_file_is_used_where_none_is_given() -> None:
    depth = open_scene(FILE).depth()
    assert depth.unit == "m"
    assert depth.focal_px == pytest.approx(FILE_FOCAL_PX)
    assert ends(depth) == pytest.approx([NEAR / 10, FAR / 10], rel=1e-3)


def test_a_given_focal_length_comes_before_the_files() -> None:
    assert open_scene(FILE).depth(focal_px=500).focal_px == 500


def test_the_files_focal_length_can_be_disregarded() -> None:
    depth = open_scene(FILE).depth(focal_px="unknown")
    assert (depth.unit, depth.focal_px) == ("relative", None)
    assert to_json(depth)["focal_px"] is None
    assert "(relative)" in next(lines(depth))


def test_an_assumed_focal_length_is_a_telephones_where_the_file_tells_none() -> None:
    depth = open_scene().depth(focal_px="assumed")
    assert (depth.unit, depth.focal_px) == ("m", pytest.approx(26 / np.hypot(36, 24) * np.hypot(96, 64)))
    assert open_scene(FILE).depth(focal_px="assumed").focal_px == pytest.approx(FILE_FOCAL_PX)
    assert b"px (assumed)" in encode(depth, "ply", Source())[:300]
    with pytest.raises(yg.InputError, match="scale 'nyuv2' is in metres already"):
        open_scene().depth(scale="nyuv2", focal_px="assumed")


@pytest.mark.parametrize("scale", ["nyuv2", "cityscapes", "ddad"])
def test_other_scales_do_without_the_files_focal_length(scale: str) -> None:
    depth = open_scene(FILE).depth(scale=scale)
    assert (depth.unit, depth.focal_px) == ("m", None)
    assert open_scene(FILE).depth(scale=scale, focal_px="unknown").unit == "m"
    with pytest.raises(yg.InputError, match=f"scale '{scale}' is in metres already; .* got 500"):
        open_scene().depth(scale=scale, focal_px=500)


@pytest.mark.parametrize(("zoom", "tiles"), [(1, (1, 1)), (2, (1, 1)), (3, (3, 2))])
def test_a_zoom_multiplies_the_focal_length_of_what_is_seen(zoom: float, tiles: tuple[int, int]) -> None:
    depth = open_scene().depth(focal_px=1000, zoom=zoom, tiles=tiles)
    assert ends(depth) == pytest.approx([NEAR * zoom / 2, FAR * zoom / 2], rel=1e-4)
    assert depth.focal_px == 1000


@pytest.mark.parametrize(("focal_px", "zoom"), [(1000, 2), (500, 4), (100, 4), (4000, 0.5), (2000, 1), (1e5, 0.25)])
def test_focal_zoom_makes_the_focal_length_that_of_the_model_and_the_rest_is_made_up_for(
    focal_px: float, zoom: float
) -> None:
    image = np.repeat(np.repeat(IMAGE, 4, 0), 4, 1)  # 384x256 px: whole tokens at each of these zooms
    scene = open_scene(image)
    depth = scene.depth(focal_px=focal_px, zoom="focal")
    factor = focal_px * zoom / 2000
    found = [float(depth.values[128, 1]), float(depth.values[128, 382])]
    assert found == pytest.approx([NEAR * factor, FAR * factor], rel=0.02)  # shrinking mixes the two a little
    assert depth.timings.n_image_tokens == round(12 * zoom) * round(8 * zoom)


def test_focal_zoom_goes_as_far_as_the_budget_of_tokens() -> None:
    scene = open_scene(image_max_tokens=20)  # 3x2 tokens at 1; 5x4 at 1.66, the most
    depth = scene.depth(focal_px=1000, zoom="focal")
    assert depth.timings.n_image_tokens == 20
    assert ends(depth) == pytest.approx([NEAR * 160 / 96 / 2, FAR * 160 / 96 / 2], rel=1e-4)
    tiled = scene.depth(focal_px=1000, zoom="focal", tiles=(2, 1))
    assert ends(tiled) == pytest.approx([NEAR, FAR], rel=1e-4)


def test_focal_zoom_takes_the_files_focal_length() -> None:
    assert open_scene(with_focal(375)).depth(zoom="focal").timings.n_image_tokens == 6 * 4  # 1,000 px


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"zoom": "focal"}, "the image's file tells of none. Pass focal_px"),
        ({"zoom": "focal", "focal_px": "unknown"}, "got focal_px='unknown'. Pass its pixels"),
        ({"zoom": "focal", "scale": "ddad"}, "got another scale"),
        ({"focal_px": "long"}, 'pixels of the source image, "unknown" or "assumed"; got \'long\''),
        ({"focal_px": 0}, "must be positive"),
        ({"focal_px": float("nan")}, "must be positive"),
        ({"zoom": 5}, "zoom must be a number from 1 to 4"),
        ({"zoom": 0.5}, "zoom must be a number from 1 to 4"),
        ({"tiles": (4, 1)}, "4x1 tiles of 3x2 tokens"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        open_scene().depth(**arguments)  # type: ignore[arg-type]


def test_a_large_frame_needs_little_more_than_its_logits() -> None:
    import tracemalloc

    scene = open_scene(np.zeros((64 * 32, 128 * 32, 3), np.uint8), image_max_tokens=2048)
    tracemalloc.start()
    try:
        scene.depth(zoom=1, tiles=(2, 2))  # 8,192 tokens: 33 MB of logits
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300e6


def test_depth_asks_nothing_so_whatever_the_model_would_answer_is_no_flaw() -> None:
    answer = "This is the <depth>, log-uniform quantified to 1-1000 from 0.5-100m at focal length 2000."
    engine = FakeEngine({"Estimate the depth": answer}, head=HEAD, vocabulary=VOCABULARY)
    scene = yg.load(engine=engine).open(IMAGE)
    assert scene.depth(strict=True).issues == ()
    assert scene.ask("Estimate the depth.", strict=True).value == answer
    assert len(engine.questions) == 1
