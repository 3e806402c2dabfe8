"""Larger and tiled looks at a picture, on the fake engine: a token's state is the mean colour of its cell."""

from __future__ import annotations

import re
from contextlib import closing

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.calibration.assumptions import Calibration
from youtu_gguf.images.zoom import Tiles, checked_tiles, chosen_zoom, fitting_zoom
from youtu_gguf.scene.options import RunOptions, run_options
from youtu_gguf.scene.run import TaskRun
from youtu_gguf.tasks.tiling import cuts, patches_at
from youtu_gguf.testing import FakeEngine, mean_colours
from youtu_gguf.types import F32, Grid, PreparedImage, Size

RNG = np.random.default_rng(0)
# 7x5 cells of one colour each, all or no red, 224x160 px: the prepared size is the source's.
CELLS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
CELLS[..., 0] = 255 * (CELLS[..., 0] > 127)
IMAGE = np.kron(CELLS, np.ones((32, 32, 1), np.uint8))
HEAD = np.array([[0, 0, 0], [4, 0, 0], [-4, 0, 0]], np.float32)
WORDS = {"red": 1, "black": 2}
DEFAULTS: RunOptions = run_options({}, yg.load(engine=FakeEngine()).settings)


class Watching(FakeEngine):
    """A fake that notes the size of every picture whose states it gave."""

    def __init__(self, **engine: object) -> None:
        self.seen: list[Size] = []
        super().__init__(states=self._noted, head=HEAD, vocabulary=WORDS, **engine)  # type: ignore[arg-type]

    def _noted(self, image: PreparedImage) -> F32:
        self.seen.append(image.size)
        return mean_colours(image)


def view_of(engine: FakeEngine, image: np.ndarray = IMAGE) -> TaskRun:
    return TaskRun(yg.load(engine=engine).open(image), DEFAULTS)


@pytest.mark.parametrize("tiles", [(2, 1), (1, 2), (2, 2), (3, 2), (7, 5)])
def test_tiles_are_put_together_to_what_the_whole_gives(tiles: tuple[int, int]) -> None:
    view = view_of(FakeEngine())
    states = patches_at(view, "", 1, Tiles(*tiles))
    assert np.array_equal(states.hidden, view.patches().hidden)
    assert states.before is None


def test_tiles_of_a_larger_picture_are_put_together_too() -> None:
    view = view_of(FakeEngine())
    with view.zoomed(2) as closer:
        whole = closer.patches().hidden
    assert whole.shape == (10, 14, 3)
    assert np.array_equal(patches_at(view, "", 2, Tiles(3, 3)).hidden, whole)
    assert np.array_equal(patches_at(view, "", 2).hidden, whole)


def test_tiles_are_whole_tokens_as_equal_as_these_allow_and_are_seen_as_they_are() -> None:
    assert [cuts(7, n) for n in (1, 2, 3)] == [[0, 7], [0, 3, 7], [0, 2, 4, 7]]
    engine = Watching()
    patches_at(view_of(engine), "", 1, Tiles(2, 2))
    assert engine.seen == [Size(96, 64), Size(128, 64), Size(96, 96), Size(128, 96)]


def test_without_zoom_and_tiles_the_scenes_own_states_are_taken() -> None:
    engine = Watching()
    with closing(yg.load(engine=engine).open(IMAGE)) as scene:
        labels = scene.segment(["red", "black"], present="all")
        assert len(scene.sessions()) == len(engine.seen) == 1
        assert labels.timings.n_image_tokens == 35


def test_a_zoomed_label_map_is_finer_and_counts_its_tokens() -> None:
    with closing(yg.load(engine=Watching()).open(IMAGE)) as scene:
        labels = scene.segment(["red", "black"], present="all", zoom=2, tiles=(2, 2), refine="none")
        assert labels.timings.n_image_tokens == 140
        red = CELLS[..., 0] > 127
        for row, col in np.ndindex(red.shape):  # four tokens a cell: its inner half is what it is
            inner = labels.ids[32 * row + 8 : 32 * row + 24, 32 * col + 8 : 32 * col + 24]
            assert (inner == (0 if red[row, col] else 1)).all()


def test_classes_are_asked_for_on_the_picture_as_it_is() -> None:
    engine = Watching(answers={"Segment: red, black": "include <ref>red</ref><ref>black</ref>"})
    with yg.load(engine=engine) as model:
        labels = model.open(IMAGE).segment(["red", "black"], zoom=2)
    assert engine.questions == ["Segment: red, black, without the background class."]
    assert engine.seen == [Size(448, 320)]
    assert labels.timings.n_image_tokens == 35 + 140


def test_the_text_before_the_image_goes_before_every_tile() -> None:
    befores: list[str] = []

    class Listening(FakeEngine):
        def open(self, prefix):  # type: ignore[no-untyped-def]
            befores.append(prefix.texts[1] if len(prefix.texts) > 1 else "")
            return super().open(prefix)

    patches_at(view_of(Listening()), "From afar.", 1, Tiles(2, 2))
    assert befores.count("From afar.") == 4


def test_tiles_are_shifted_each_by_itself_where_the_calibration_shifts() -> None:
    model = yg.load(engine=FakeEngine())
    model.calibration = Calibration(position_shift=-1)
    states = patches_at(TaskRun(model.open(IMAGE), DEFAULTS), "", 1, Tiles(1, 5))
    plain = mean_colours(PreparedImage(IMAGE))
    assert np.array_equal(states.hidden[:, 1:], plain[:, :-1])
    assert (states.hidden[:, 0] == 0).all()  # what the fake has before the first token


def test_progress_counts_tiles() -> None:
    reports: list[tuple[str, int, int]] = []
    model = yg.load(engine=FakeEngine(), progress=lambda *report: reports.append(report))
    patches_at(TaskRun(model.open(IMAGE), DEFAULTS), "", 1, Tiles(2, 1))
    assert [report for report in reports if report[0] == "tiles"] == [("tiles", n, 2) for n in range(3)]


@pytest.mark.parametrize("tiles", [(0, 1), (2,), (2, 2, 2), (1.0, 2), (True, 1), "22", 4, None, (-1, 1)])
def test_tiles_that_are_no_pair_of_positive_whole_numbers_are_refused(tiles: object) -> None:
    expected = re.escape(f"two positive whole numbers, columns and rows, as (2, 2); got {tiles!r}")
    with pytest.raises(yg.InputError, match=expected):
        checked_tiles(tiles)  # type: ignore[arg-type]
    with pytest.raises(yg.InputError, match=expected):
        yg.load(engine=FakeEngine()).open(IMAGE).segment(["red"], present="all", tiles=tiles)  # type: ignore[arg-type]


def test_more_tiles_than_tokens_are_refused() -> None:
    scene = yg.load(engine=Watching()).open(IMAGE)
    with pytest.raises(yg.InputError, match=r"8x1 tiles of 7x5 tokens\. Use fewer tiles, or a larger zoom"):
        scene.segment(["red"], present="all", tiles=(8, 1))
    assert scene.segment(["red"], present="all", tiles=(8, 1), zoom=2).classes == ("red",)


@pytest.mark.parametrize(
    "zoom",
    [0.5, 4.1, 0, -1, float("nan"), True, "big", None, "auto:", "auto:1", "auto:5", "auto:2.5", "Auto", "auto3", "2"],
)
def test_a_zoom_out_of_range_is_refused(zoom: object) -> None:
    with pytest.raises(yg.InputError, match=re.escape(f'"auto:2" or "auto:3" for as much as fits; got {zoom!r}')):
        yg.load(engine=Watching()).open(IMAGE).segment(["red"], present="all", zoom=zoom)  # type: ignore[arg-type]


def test_a_zoom_beyond_the_budget_names_the_ways_out() -> None:
    scene = yg.load(engine=Watching(image_max_tokens=100)).open(IMAGE)
    with pytest.raises(yg.InputError, match=r"zoom 2 of a 224x160 image takes 140 image tokens at a time.*at most 100"):
        scene.segment(["red"], present="all", zoom=2)
    assert scene.segment(["red"], present="all", zoom=2, tiles=(2, 1)).timings.n_image_tokens == 140


def test_auto_takes_the_largest_zoom_that_fits() -> None:
    size = Size(224, 160)
    assert chosen_zoom("auto", size, 35) == 1
    assert chosen_zoom("auto", size, 34) == 1  # as the model's own preparation shrinks it
    assert chosen_zoom("auto", size, 35, Tiles(2, 2)) == 2  # 7x5 tokens a tile
    assert chosen_zoom("auto", size, 2048) == 4
    assert chosen_zoom("auto", size, 70) == pytest.approx(1.4)  # 10x7 tokens; at 1.42, 10x8


def test_auto_with_a_cap_takes_no_more_than_that() -> None:
    size = Size(224, 160)
    assert chosen_zoom("auto:3", size, 2048) == 3
    assert chosen_zoom("auto:4", size, 2048) == chosen_zoom("auto", size, 2048)
    assert chosen_zoom("auto:3", size, 70) == pytest.approx(1.4)  # the budget is less than the cap
    assert chosen_zoom("auto:2", size, 34) == 1
    assert chosen_zoom("auto:2", size, 2048, Tiles(2, 2)) == 2
    assert chosen_zoom("auto:2", Size(640, 640), 25, Tiles(2, 2)) == 0.5  # shrunk as "auto" does


def test_auto_with_tiles_shrinks_what_fits_at_no_zoom() -> None:
    size = Size(640, 640)
    assert fitting_zoom(4, size, 25, Tiles(2, 2)) == chosen_zoom("auto", size, 25, Tiles(2, 2)) == 0.5
    engine = Watching(image_max_tokens=25)
    image = np.zeros((640, 640, 3), np.uint8)
    states = patches_at(view_of(engine, image), "", 0.5, Tiles(2, 2))
    assert states.grid == Grid(10, 10)
    assert engine.seen == [Size(160, 160)] * 4


def test_a_picture_that_fits_at_no_size_is_refused() -> None:
    with pytest.raises(yg.InputError, match=r"Crop it, use more tiles, or raise image_max_tokens"):
        fitting_zoom(4, Size(100_000, 1), 2, Tiles())
