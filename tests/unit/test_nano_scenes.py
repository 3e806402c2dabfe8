"""The drawn scenes: what they claim about themselves is what can be counted in their arrays."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from scripts.nano._figures import Lettering
from scripts.nano._paint import GROUND_SCALE
from scripts.nano.scenes import (
    CLASSES,
    COLOURS,
    STUFF,
    TEST_SEEDS,
    THINGS,
    Scene,
    Thing,
    _cast,
    _populate,
    _stage,
    _visible,
    draw,
    referring,
)

SEEDS = range(TEST_SEEDS, TEST_SEEDS + 200)


@cache
def scene_of(seed: int) -> Scene:
    return draw(seed)


def every_scene() -> list[Scene]:
    return [scene_of(seed) for seed in SEEDS]


def every_thing() -> list[tuple[Scene, Thing]]:
    return [(scene, thing) for scene in every_scene() for thing in scene.things]


def middle_x(thing: Thing) -> float:
    return (thing.box[0] + thing.box[2]) / 2


def test_one_seed_gives_the_same_bytes_twice() -> None:
    for seed in list(SEEDS)[:12]:
        first, again = scene_of(seed), draw(seed)
        assert first.rgb.tobytes() == again.rgb.tobytes()
        assert first.labels.tobytes() == again.labels.tobytes()
        assert first.depth.tobytes() == again.depth.tobytes()
        assert [t.box for t in first.things] == [t.box for t in again.things]


def test_size_is_kept_when_given_and_in_range_when_drawn() -> None:
    assert draw(3, size=(300, 244)).rgb.shape == (244, 300, 3)
    for scene in every_scene():
        height, width = scene.labels.shape
        assert scene.rgb.shape == (height, width, 3)
        assert 224 <= min(height, width) <= max(height, width) <= 352
        assert 0.67 <= width / height <= 1.5


def test_another_lens_multiplies_distances_and_changes_nothing_else() -> None:
    for seed in list(SEEDS)[:12]:
        plain, tele = scene_of(seed), draw(seed, focal_px=3000.0)
        assert np.array_equal(plain.rgb, tele.rgb)
        assert np.array_equal(plain.depth * np.float32(1.5), tele.depth)
        assert [t.distance * 1.5 for t in plain.things] == [t.distance for t in tele.things]


def test_labels_masks_and_boxes_agree() -> None:
    for scene in every_scene():
        covered = np.zeros(scene.labels.shape, int)
        for thing in scene.things:
            assert (scene.labels[thing.mask] == CLASSES.index(thing.kind)).all()
            covered += thing.mask
            ys, xs = np.nonzero(thing.mask)
            assert thing.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert covered.max() <= 1
        assert np.array_equal(covered == 1, scene.labels < len(THINGS))


def test_things_stay_inside_are_large_enough_and_lie_left_to_right() -> None:
    for scene in every_scene():
        height, width = scene.labels.shape
        assert 1 <= len(scene.things) <= 5
        assert [middle_x(t) for t in scene.things] == sorted(middle_x(t) for t in scene.things)
        for thing in scene.things:
            assert thing.mask.sum() >= 500
            assert min(thing.box[:2]) >= 5
            assert thing.box[2] <= width - 5
            assert thing.box[3] <= height - 5


def test_a_sign_alone_has_digits_and_its_plate_is_whole() -> None:
    for _, thing in every_thing():
        assert (thing.kind == "sign") == (len(thing.digits) == 2 and thing.digits.isdigit())
        if thing.kind == "sign":
            assert thing.colour in ("white", "yellow")
            x1, y1, x2, _ = (int(v) for v in thing.box)
            assert thing.mask[y1 : y1 + 40, x1:x2].all()  # the least height of a plate


def test_things_keep_more_than_half_of_themselves_visible() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        world = _stage(rng, 288, 256)
        placed = _populate(rng, world, _cast(rng))
        for item, mask in zip(placed, _visible([item.full for item in placed]), strict=True):
            assert mask.sum() >= 0.55 * item.full.sum()


def edge_of(scene: Scene) -> int:
    """First row of ground: just below the last row of what lies behind it."""
    behind = (scene.labels >= len(THINGS)) & (scene.labels < scene.labels.max())
    return int(np.flatnonzero(behind.any(1))[-1]) + 1


def test_ground_depth_is_scale_over_rows_below_the_vanishing_row() -> None:
    for scene in every_scene():
        stuff = scene.labels.max()  # the ground's index is always above the background's
        ground = CLASSES[int(stuff)]
        rows = np.flatnonzero((scene.labels == stuff).any(1))
        depth = np.array([scene.depth[row][scene.labels[row] == stuff][0] for row in rows])
        inside = (depth > 0.5) & (depth < 100)
        below_vanishing = GROUND_SCALE[ground] / depth[inside]
        # Both count rows, so their difference is one constant of the scene; float32 keeps it to 1e-3 px.
        assert np.ptp(below_vanishing - rows[inside]) < 1e-3
        if ground in ("grass", "sand") and rows[0] == edge_of(scene):
            assert below_vanishing[0] - rows[inside][0] == pytest.approx(16 - rows[0], abs=1e-3)


def test_a_thing_is_as_far_as_the_ground_it_stands_on() -> None:
    for scene, thing in every_thing():
        assert np.allclose(scene.depth[thing.mask], thing.distance, rtol=1e-6)
        foot = int(thing.box[3]) - 1
        ground = scene.labels[foot] == scene.labels.max()
        if ground.any() and thing.distance > 0.5:
            # The foot itself may be hidden, so the visible bottom can lie above the contact, never below it.
            assert thing.distance <= scene.depth[foot][ground][0] * (1 + 1e-6)


def test_only_sky_has_no_depth() -> None:
    for scene in every_scene():
        assert np.array_equal(scene.depth == 0, scene.labels == CLASSES.index("sky"))


def test_joints_belong_to_persons_and_face_us() -> None:
    persons = 0
    for _, thing in every_thing():
        assert (thing.joints is not None) == (thing.kind == "person")
        if thing.joints is None:
            continue
        persons += 1
        assert thing.joints.shape == (16, 3)
        assert thing.joints[12, 0] < thing.joints[13, 0]  # right shoulder at the picture's left
        assert thing.joints[2, 0] < thing.joints[3, 0]
        assert thing.joints[9, 1] < thing.joints[8, 1] < thing.joints[7, 1] < thing.joints[6, 1]
        for x, y, seen in thing.joints:
            near = thing.mask[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].any()
            assert bool(seen) == bool(near)
    assert persons > 50


def test_every_picture_has_a_dark_frame() -> None:
    for scene in every_scene():
        inner = np.zeros(scene.labels.shape, bool)
        inner[3:-3, 3:-3] = True
        assert scene.rgb[~inner].max() < 70


def test_all_classes_and_colours_occur() -> None:
    seen = {CLASSES[int(v)] for scene in every_scene() for v in np.unique(scene.labels)}
    assert seen == set(THINGS + STUFF)
    assert {thing.colour for _, thing in every_thing()} == set(COLOURS)


def fitting(scene: Scene, phrase: str) -> list[int]:
    """Indices that a plain reading of the phrase allows; written apart from the code under test."""
    words = phrase.split()[1:]
    things = scene.things
    candidates = [
        i
        for i, thing in enumerate(things)
        if (thing.kind in words or "object" in words) and (thing.colour in words or not set(words) & set(COLOURS))
    ]
    keys = {
        "left": lambda i: middle_x(things[i]),
        "leftmost": lambda i: middle_x(things[i]),
        "right": lambda i: -middle_x(things[i]),
        "rightmost": lambda i: -middle_x(things[i]),
        "largest": lambda i: -int(things[i].mask.sum()),
        "smallest": lambda i: int(things[i].mask.sum()),
        "nearest": lambda i: things[i].distance,
        "farthest": lambda i: -things[i].distance,
    }
    if words[0] in keys:
        best = min(keys[words[0]](i) for i in candidates)
        return [i for i in candidates if keys[words[0]](i) == best]
    return candidates


def test_every_phrase_fits_exactly_the_thing_it_names() -> None:
    total = 0
    for scene in every_scene():
        phrases = referring(scene)
        assert len({phrase for phrase, _ in phrases}) == len(phrases)
        for phrase, index in phrases:
            assert fitting(scene, phrase) == [index], phrase
            total += 1
    assert total > 800


def test_left_and_right_are_said_of_two_only() -> None:
    for scene in every_scene():
        for phrase, _ in referring(scene):
            words = phrase.split()
            if words[1] in ("left", "right"):
                name = words[2:]
                named = [t for t in scene.things if name in ([t.kind], [t.colour, t.kind])]
                assert len(named) == 2
                assert abs(middle_x(named[0]) - middle_x(named[1])) >= 24


LETTERINGS: tuple[Lettering, ...] = ("opencv", "own")


def test_own_letters_change_nothing_but_signs() -> None:
    cast = [("circle", "red"), ("square", "blue")]
    assert np.array_equal(draw(5, (288, 256), cast=cast).rgb, draw(5, (288, 256), cast=cast, lettering="own").rgb)
    signs = [("sign", "white")]
    theirs, ours = (draw(5, (288, 256), cast=signs, lettering=lettering) for lettering in LETTERINGS)
    assert [thing.digits for thing in theirs.things] == [thing.digits for thing in ours.things]
    assert not np.array_equal(theirs.rgb, ours.rgb)
