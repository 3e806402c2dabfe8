"""Pictures: drawn where the numbers say, on a copy, with the picture part keeping its size."""

from __future__ import annotations

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.render import draw
from youtu_gguf.render.canvas import Canvas, caption, printable
from youtu_gguf.render.depth import INVALID, depth_colours
from youtu_gguf.render.overlay import OPACITY
from youtu_gguf.types.colours import colour

GREY = np.full((40, 60, 3), 128, np.uint8)


def changed(picture: np.ndarray) -> np.ndarray:
    return (picture[:40] != GREY).any(axis=-1)


def test_a_box_is_drawn_inside_its_edges_and_nowhere_else() -> None:
    drawn = changed(draw(GREY, yg.Boxes([[10, 5, 50, 35]], ("",))))
    assert drawn[5, 10:50].all()
    assert drawn[34, 10:50].all()
    assert drawn[5:35, 10].all()
    assert drawn[5:35, 49].all()
    inside, outside = np.zeros_like(drawn), np.ones_like(drawn)
    inside[9:31, 14:46] = True
    outside[5:35, 10:50] = False
    assert not drawn[inside].any()
    assert not drawn[outside].any()


@pytest.mark.parametrize("xyxy", [[0, 0, 60, 40], [50, 30, 10, 5], [-20, -20, 200, 200], [5, 5, 5, 5]])
def test_any_box_can_be_drawn(xyxy: list[float]) -> None:
    assert draw(GREY, yg.Boxes([xyxy], ("a cup",))).shape == GREY.shape


def test_the_source_is_not_changed() -> None:
    source = GREY.copy()
    draw(source, yg.Boxes([[10, 5, 50, 35]], ("cup",)))
    draw(source, yg.LabelMap(np.zeros((40, 60)), ("cup",)))
    assert np.array_equal(source, GREY)


def test_a_label_map_tints_exactly_its_pixels_and_has_its_legend_below() -> None:
    ids = np.full((40, 60), -1)
    ids[10:20, 20:30] = 1
    picture = draw(GREY, yg.LabelMap(ids, ("sky", "cup")))
    assert picture.shape[0] > 40
    assert picture.shape[1] == 60
    assert np.array_equal(changed(picture), ids == 1)
    expected = 128 * (1 - OPACITY) + np.array(colour(1)) * OPACITY
    assert np.abs(picture[15, 25] - expected).max() <= 1


def test_a_mask_tints_exactly_its_pixels() -> None:
    bits = np.zeros((40, 60), bool)
    bits[3:9, 4:50] = True
    assert np.array_equal(changed(draw(GREY, yg.Mask(bits))), bits)


def test_a_polygon_is_filled_and_labelled() -> None:
    ring = np.array([[30, 20], [55, 20], [55, 38], [30, 38]], np.float32)
    drawn = changed(draw(GREY, yg.Polygons(((ring,),), ("",))))
    assert drawn[20:38, 30:55].all()
    assert not drawn[:17].any()


def test_an_object_without_outlines_draws_nothing() -> None:
    assert not changed(draw(GREY, yg.Polygons(((),), ("cup",)))).any()


def test_joints_that_are_missing_are_not_drawn() -> None:
    xyv = np.zeros((1, 16, 3), np.float32)
    xyv[0, 6] = (30, 30, 1)
    xyv[0, 7] = (30, 10, np.nan)  # seen, without a visibility
    drawn = changed(draw(GREY, yg.Poses(xyv, [[np.nan] * 4])))
    assert drawn[10:31, 30].all()
    assert not drawn[:5, :5].any()


def test_near_is_warm_far_is_cold_and_invalid_is_grey() -> None:
    near, far, invalid = depth_colours(np.array([[1.2, 9, 0]], np.float32), 1, 10)[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert tuple(invalid) == INVALID


@pytest.mark.parametrize(
    "values", [np.zeros((40, 60)), np.full((40, 60), 3.0), np.linspace(1, 50, 2400).reshape(40, 60)]
)
def test_depth_keeps_its_size_above_the_legend(values: np.ndarray) -> None:
    picture = draw(GREY, yg.DepthMap(values, "m"))
    assert picture.shape[1] == 60
    assert picture.shape[0] > 40


def test_invalid_depth_has_its_grey_in_the_legend_and_only_where_there_is_any() -> None:
    def legend_of(values: np.ndarray) -> tuple[int, int]:
        legend = draw(np.zeros((90, 160, 3), np.uint8), yg.DepthMap(values, "m"))[90:]
        return legend.shape[0], int((legend == INVALID).all(axis=-1).sum())

    valid = np.linspace(1, 50, 90 * 160).reshape(90, 160)
    (height, stray), (higher, some) = legend_of(valid), legend_of(np.where(np.arange(160) < 40, 0, valid))
    (lower, alone) = legend_of(np.zeros((90, 160)))
    assert higher == height + lower  # its own strip
    assert min(some, alone) > stray + 20  # the edges of letters have all greys


def test_text_has_no_drawing() -> None:
    with pytest.raises(yg.InputError, match="no drawing"):
        draw(GREY, yg.Text("a cup"))


@pytest.mark.parametrize(
    ("label", "score", "text"),
    [
        ("cup", 0.8333, "cup 0.83"),
        ("", 0.5, "0.50"),
        ("cup", None, "cup"),
        ("cup", float("nan"), "cup"),
        ("", None, ""),
        ("x" * 50, 0.5, "x" * 26 + "… 0.50"),
    ],
)
def test_a_caption_never_loses_its_score(label: str, score: float | None, text: str) -> None:
    assert caption(label, score) == text
    assert printable(text) == text


RING = np.array([[30, 20], [55, 20], [55, 38], [30, 38]], np.float32)
XYV = np.zeros((1, 16, 3), np.float32)


@pytest.mark.parametrize(
    ("plain", "scored"),
    [
        (yg.Boxes([[5, 15, 55, 38]], ("",)), yg.Boxes([[5, 15, 55, 38]], ("",), np.array([0.5]))),
        (yg.Polygons(((RING,),), ("",)), yg.Polygons(((RING,),), ("",), np.array([0.5]))),
        (yg.Poses(XYV, [[5, 15, 55, 38]]), yg.Poses(XYV, [[5, 15, 55, 38]], scores=np.array([0.5]))),
    ],
)
def test_scores_are_written_above_what_they_are_of(plain: yg.Result, scored: yg.Result) -> None:
    without, having = draw(GREY, plain), draw(GREY, scored)
    assert (without != having).any(axis=-1)[:20].any()
    unknown = type(scored)(**(vars(scored) | {"scores": np.array([np.nan])}))
    assert np.array_equal(draw(GREY, unknown), without)


def test_a_person_without_a_box_has_no_place_for_its_score() -> None:
    nowhere = yg.Poses(XYV, [[np.nan] * 4], scores=np.array([0.5]))
    assert np.array_equal(draw(GREY, nowhere), GREY)


def test_the_legend_carries_scores() -> None:
    ids = np.zeros((40, 60))
    plain, scored = (draw(GREY, yg.LabelMap(ids, ("cup",), scores=s)) for s in (None, np.array([0.5])))
    assert np.array_equal(plain[:40], scored[:40])
    assert not np.array_equal(plain[40:], scored[40:])


def test_colours_of_many_classes_differ() -> None:
    assert len({colour(i) for i in range(200)}) == 200
    assert colour(37) == colour(37)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 3)])
def test_tiny_pictures_can_be_drawn_on(size: tuple[int, int]) -> None:
    rgb = np.zeros((*size, 3), np.uint8)
    for result in (
        yg.Boxes([[0, 0, 1, 1]], ("cup",)),
        yg.LabelMap(np.zeros(size), ("a class with a rather long name", "cup")),
        yg.DepthMap(np.ones(size), "relative"),
    ):
        assert draw(rgb, result).shape[1] == size[1]


def test_words_without_tall_letters_stand_on_the_same_line_as_others() -> None:
    def lowest_ink(text: str) -> int:
        canvas = Canvas(np.zeros((60, 60, 3), np.uint8))
        canvas.write(2, 2, text, (255, 255, 255))
        return int(np.flatnonzero(canvas.pixels().any(axis=(1, 2)))[-1])

    assert lowest_ink("woman") == lowest_ink("flat")


def test_legend_names_only_classes_that_are_seen() -> None:
    ids = np.zeros((40, 60))
    few, many = (draw(GREY, yg.LabelMap(ids, ("cup", *(f"class {i}" for i in range(n))))) for n in (0, 50))
    assert few.shape == many.shape
