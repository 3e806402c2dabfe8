"""Shards: shapes by kind, and targets that lie where their things are, however much an image was enlarged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from scripts.nano import strangers
from scripts.nano.examples import MAX_TOKENS, CoreCrops, make_scenes, make_views
from scripts.nano.foreign import NO_CLASS, STRANGE_BIN, make_clicks, make_screens, make_strangers, strange_grid
from scripts.nano.lessons import REFUSAL, Lesson
from scripts.nano.pool import draw_shards
from scripts.nano.scenes import CLASSES, THINGS, draw
from scripts.nano.shards import Kind, Shard, teach
from scripts.nano.targets import (
    DEPTH_PX,
    JOINTS_FROM,
    LABEL_PX,
    LETTER_PX,
    MAX_THINGS,
    N_POINTS,
    TOKEN_PX,
    numbered,
    scene_targets,
)
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.facts import DEPTH_SCALES, END, N_BINS
from youtu_gguf.prompts import WORDINGS

KINDS: tuple[Kind, ...] = ("scene", "view", "core", "screen", "click", "stranger")


@pytest.fixture(scope="module", autouse=True)
def no_photographs() -> Iterator[None]:
    """Draw patterns only: which photographs there are differs from machine to machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strangers, "photographs", lambda: ())
        yield


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer([])


def make(kind: Kind, tokenizer: Tokenizer) -> Shard:
    makers: dict[Kind, Callable[[], Shard]] = {
        "scene": lambda: make_scenes(14, tokenizer),
        "view": lambda: make_views(2),
        "core": lambda: next(shard for crops in [CoreCrops()] for seed in range(99) for shard in crops.add(seed)),
        "screen": lambda: make_screens(2, tokenizer),
        "click": lambda: make_clicks(2, tokenizer),
        "stranger": lambda: make_strangers(25, tokenizer),
    }
    return makers[kind]()


@pytest.fixture(scope="module")
def shards(tokenizer: Tokenizer) -> dict[Kind, Shard]:
    return {kind: make(kind, tokenizer) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_follow_the_grid(shards: dict[Kind, Shard], kind: Kind) -> None:
    shard = shards[kind]
    n, rows, cols = len(shard.rgb), shard.rows, shard.cols
    assert shard.kind == kind
    assert shard.rgb.shape == (n, rows * TOKEN_PX, cols * TOKEN_PX, 3)
    assert shard.owner.shape == shard.centre.shape == (n, rows, cols)
    assert shard.points.shape == (n, MAX_THINGS, N_POINTS)
    assert shard.n_tokens == n * rows * cols
    assert len(shard.taught) == n
    if kind in ("scene", "view", "core", "stranger"):
        assert shard.labels.shape == (n, rows * TOKEN_PX // LABEL_PX, cols * TOKEN_PX // LABEL_PX)
    if kind in ("scene", "view", "stranger"):
        assert shard.bins.shape == (n, rows * TOKEN_PX // DEPTH_PX, cols * TOKEN_PX // DEPTH_PX)


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0])
def test_boxes_outlines_and_owners_lie_on_their_things(scale: float) -> None:
    scene = draw(11, (256, 288))
    rows, cols = int(9 * scale), int(8 * scale)
    ratio = np.array([cols / 8, rows / 9] * 2)
    targets = scene_targets(scene, rows, cols, scale)
    for i, thing in enumerate(scene.things):
        x1, y1, x2, y2 = targets.points[i, :4]
        label = THINGS.index(thing.kind)
        ys, xs = np.nonzero(thing.mask)
        assert (x1, y1, x2, y2) == pytest.approx(
            np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) * ratio, abs=1e-3
        )
        outline = targets.points[i, 4:JOINTS_FROM].reshape(-1, 2)
        outside = 3 * ratio[:2]  # px of the scene: points on bends lie a little outside
        assert (outline >= np.array([x1, y1]) - outside).all()
        assert (outline <= np.array([x2, y2]) + outside).all()
        within = np.zeros(targets.labels.shape, np.uint8)
        cv2.fillPoly(within, [(outline // LABEL_PX).astype(np.int32)], 1)
        assert (targets.labels[within > 0] == label).mean() > 0.6
        row, col = np.argwhere(targets.centre & (targets.owner == i))[0]
        assert x1 - TOKEN_PX <= col * TOKEN_PX <= x2
        assert y1 - TOKEN_PX <= row * TOKEN_PX <= y2


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_joints_that_are_seen_lie_on_their_person(scale: float) -> None:
    scene = draw(3, (256, 288), cast=[("person", "red"), ("star", "blue")])
    assert any(thing.joints is not None for thing in scene.things)
    targets = scene_targets(scene, int(9 * scale), int(8 * scale), scale)
    near = np.ones((3, 3), np.uint8)
    for thing, points in zip(scene.things, targets.points, strict=False):
        if thing.joints is None:
            assert np.isnan(points[JOINTS_FROM:-2]).all()
            continue
        mask = cv2.dilate((targets.labels == THINGS.index("person")).astype(np.uint8), near)
        seen = points[JOINTS_FROM:-2].reshape(16, 2)[thing.joints[:, 2] > 0]
        assert mask[(seen[:, 1] // LABEL_PX).astype(int), (seen[:, 0] // LABEL_PX).astype(int)].all()


@pytest.mark.parametrize("kind", ["scene", "view", "core"])
def test_borders_of_labels_lie_where_the_picture_changes(shards: dict[Kind, Shard], kind: Kind) -> None:
    shard = shards[kind]
    here, away = [], []
    for rgb, labels in zip(shard.rgb, shard.labels, strict=True):
        cells = cv2.resize(rgb, labels.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        change = np.abs(np.diff(cells, axis=1)).sum(axis=2)
        border = np.diff(labels.astype(int), axis=1) != 0
        here.append(change[border])
        away.append(change[:, 2:][border[:, :-2]])  # the same borders, moved by two cells
    assert np.concatenate(here).mean() > 1.5 * np.concatenate(away).mean()


def test_an_enlarged_scene_is_as_much_nearer() -> None:
    scene = draw(11, (256, 288))
    once, twice = scene_targets(scene, 9, 8), scene_targets(scene, 18, 16, 2.0)
    sampled = twice.bins[::2, ::2].astype(int)
    both = (once.bins > 0) & (sampled > 0)
    scale = DEPTH_SCALES["open"]
    halved = (N_BINS - 1) * np.log(2) / np.log(scale.far_m / scale.near_m)
    assert np.median(once.bins.astype(int)[both] - sampled[both]) == pytest.approx(
        halved, rel=0.1
    )  # cells of one are half those of the other


def test_views_show_no_things_to_ask_about(shards: dict[Kind, Shard]) -> None:
    view = shards["view"]
    assert (view.owner == -1).all()
    assert not any(view.taught)
    assert view.labels.max() < len(CLASSES)


def test_crops_show_their_target(shards: dict[Kind, Shard]) -> None:
    core = shards["core"]
    assert set(np.unique(core.labels)) == {0, 1}
    assert ((core.labels == 1).mean(axis=(1, 2)) > 0.1).all()


def test_the_largest_number_of_a_kind_is_how_many_there_are(shards: dict[Kind, Shard]) -> None:
    scene = shards["scene"]
    repeated = 0
    for owner, kinds in zip(scene.owner, scene.kinds, strict=True):
        numbers = numbered(owner, kinds)
        for kind in range(1, len(THINGS) + 1):
            things = [i for i in np.unique(owner[owner >= 0]) if kinds[i, 0] == kind and not kinds[i, 2]]
            found = numbers[np.isin(owner, things)]
            assert set(found[found > 0]) == set(range(1, len(things) + 1)), "numbers without a gap from 1"
            repeated += len(things) > 1
        signs = np.isin(owner, np.flatnonzero(kinds[:, 2]))
        assert not numbers[signs | (owner < 0)].any()
    assert repeated


def test_numbers_follow_the_order_in_which_things_end() -> None:
    owner = np.array([[0, 0, 1], [0, 2, 1], [0, -1, -1]], np.int8)
    kinds = np.zeros((MAX_THINGS, 4), np.uint8)
    kinds[:3, 0] = 4, 4, 5
    assert numbered(owner, kinds).tolist() == [[0, 0, 0], [0, 1, 1], [2, 0, 0]]


def test_screens_say_what_is_written_on_them(shards: dict[Kind, Shard], tokenizer: Tokenizer) -> None:
    screen = shards["screen"]
    assert (screen.owner >= 0).any()
    assert (screen.words[:, 0, 0] > 0).all()
    assert {lesson.task for lessons in screen.taught for lesson in lessons} >= {"ground", "ocr", "count", "describe"}
    click = shards["click"]
    assert click.opening is not None
    lang = "zh" if "你" in tokenizer.decode(click.opening) else "en"
    system = WORDINGS[lang].clicking(click.cols * TOKEN_PX, click.rows * TOKEN_PX)
    assert system in tokenizer.decode(click.opening)


def test_screens_say_which_letter_lies_in_each_cell(shards: dict[Kind, Shard]) -> None:
    for kind in ("screen", "click"):
        shard = shards[kind]
        assert shard.letters is not None
        assert shard.letters.shape == (len(shard.rgb), 2 * shard.rows, 2 * shard.cols)
        cells = shard.rgb.mean(axis=3).reshape(len(shard.rgb), 2 * shard.rows, LETTER_PX, 2 * shard.cols, LETTER_PX)
        contrast = np.ptp(cells, axis=(2, 4))
        assert np.median(contrast[shard.letters > 0]) > 2 * np.median(contrast[shard.letters == 0])
    assert shards["scene"].letters is None


def test_strangers_are_refused_and_have_no_class(shards: dict[Kind, Shard], tokenizer: Tokenizer) -> None:
    stranger = shards["stranger"]
    assert (stranger.labels == NO_CLASS).all()
    assert (stranger.bins == STRANGE_BIN).all()
    answers = {tokenizer.decode(lesson.answer[:-1]) for lessons in stranger.taught for lesson in lessons}
    assert answers <= {*REFUSAL.values()}


def test_strangers_are_as_large_as_photographs_too() -> None:
    rng = np.random.default_rng(0)
    grids = [strange_grid(rng) for _ in range(400)]
    n_tokens = np.array([rows * cols for rows, cols in grids])
    assert n_tokens.max() <= MAX_TOKENS
    assert 0.05 < (n_tokens > 1000).mean() < 0.3
    assert (n_tokens <= 100).mean() > 0.4
    assert {rows > cols for rows, cols in grids if rows * cols > 1000} == {True, False}


def test_earlier_turns_stand_before_the_question(tokenizer: Tokenizer) -> None:
    history = (("How many stars?", "2"), ("And how many circles?", "1"))
    taught = teach(tokenizer, Lesson("chat", "And how many signs?", "0", "en", history))
    text = tokenizer.decode(taught.question)
    places = [text.index(part) for turn in history for part in turn] + [text.index("And how many signs?")]
    assert places == sorted(places)
    assert taught.task == "chat"
    assert taught.answer == (*tokenizer.encode("0"), tokenizer.id(END))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_shard(shards: dict[Kind, Shard], tokenizer: Tokenizer, kind: Kind) -> None:
    again = make(kind, tokenizer)
    for name, value in vars(shards[kind]).items():
        np.testing.assert_equal(getattr(again, name), value, err_msg=name)


def test_shards_come_in_the_shares_that_are_asked_for(tokenizer: Tokenizer) -> None:
    shares: dict[Kind, float] = {"screen": 3.0, "click": 1.0}
    found = draw_shards(tokenizer, shares, np.random.default_rng(3))
    kinds = [shard.kind for _ in range(6) for shard in next(found)]
    assert {*kinds} == {"screen", "click"}
    assert kinds.count("screen") > kinds.count("click")
