"""An endless supply of drawn scenes with full ground truth: places, distances, poses, and phrases for the things.

Outdoors there is sky over grass or sand, indoors a brick or wood wall over a wood or stone floor. Up to five things
stand on the ground and partly hide each other. A seed always gives the same bytes.

Every image has a thin dark frame, like the border of a print. The vision tower knows only relative positions; the frame
shows it the edges, and so the position of a thing in the image. Labels and depth under the frame are those of the scene
behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.nano._figures import SHAPES, Figure, Lettering, draw_figure
from scripts.nano._paint import GROUND_SCALE, GROUNDS, WALLS, draw_frame, noise, sensor_noise, sky

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

STUFF = ("sky", "grass", "sand", "brick wall", "wood wall", "wood floor", "stone floor")
THINGS = ("circle", "square", "triangle", "star", "cross", "person", "sign")
CLASSES = THINGS + STUFF  # a label map's values are indices into this
COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
TEST_SEEDS = 1_000_000_000  # seeds from here on are never trained on

_CANONICAL_FOCAL_PX = 2000.0
_NEAREST_M, _FARTHEST_M = 0.5, 100.0
_HORIZON_GAP_PX = 16  # outdoors the visible edge of the ground lies this far below the vanishing row
_MARGIN_PX = 5
_TRIES = 20
_MIN_VISIBLE, _MIN_AREA_PX, _MIN_APART_PX = 0.55, 500, 30
_COUNT_WEIGHTS = (0.15, 0.25, 0.25, 0.2, 0.15)


@dataclass(frozen=True)
class Thing:
    """The visible part of a thing.

    Args:
        kind: One of `THINGS`.
        colour: One of `COLOURS`; a sign's is its plate's.
        box: x1, y1, x2, y2 of the visible px; x2 and y2 are exclusive edges.
        mask: (H, W) visible px.
        distance: Metres.
        digits: A sign's two digits, else empty.
        joints: A person's (16, 3) x, y, visible (1 or 0) in MPII order, else None.
    """

    kind: str
    colour: str
    box: tuple[float, float, float, float]
    mask: Mask
    distance: float
    digits: str
    joints: F32 | None


@dataclass(frozen=True)
class Scene:
    """An image and its ground truth.

    Args:
        seed: The seed from which it was drawn.
        rgb: (H, W, 3).
        labels: (H, W) index into `CLASSES`.
        depth: (H, W) metres; 0 is sky.
        focal_px: The lens, in px.
        things: Sorted left to right by the centre of the box.
    """

    seed: int
    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: F32
    focal_px: float
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class _World:
    """The empty scene: its colours, labels and depth through the canonical lens, and the position of the ground."""

    rgb: F32
    labels: NDArray[np.uint8]
    depth: F32
    edge: int
    vanishing: int
    scale: float

    def distance(self, row: int) -> float:
        return float(np.clip(self.scale / (row - self.vanishing), _NEAREST_M, _FARTHEST_M))


@dataclass(frozen=True)
class _Placed:
    """A figure at its position: the left and top px, and its full mask."""

    figure: Figure
    left: int
    top: int
    full: Mask

    @property
    def contact(self) -> int:
        """Bottom row: where it touches the ground."""
        return self.top + int(self.figure.alpha.shape[0]) - 1

    @property
    def centre(self) -> tuple[float, float]:
        height, width = self.figure.alpha.shape
        return self.left + width / 2, self.top + height / 2


def draw(
    seed: int, size: tuple[int, int] | None = None, focal_px: float = _CANONICAL_FOCAL_PX,
    cast: Sequence[tuple[str, str]] | None = None, lettering: Lettering = "opencv",
) -> Scene:  # fmt: skip
    """The scene of a seed.

    Args:
        seed: Not negative.
        size: Width and height; None draws them too, 224..352 px each.
        focal_px: Another lens sees the same image with all distances multiplied by focal_px / 2000.
        cast: Kinds and colours of the things to place where they fit; None draws them too.
        lettering: Whose digits are on signs. All else is the same with both, as far as the digits' width allows.
    """
    rng = np.random.default_rng(seed)
    width, height = size or _size(rng)
    world = _stage(rng, width, height)
    placed = _populate(rng, world, cast or _cast(rng), lettering)
    for item in placed:
        if rng.random() < 0.7:
            _cast_shadow(rng, world, item)
    rgb, labels, canonical = world.rgb, world.labels.copy(), world.depth.copy()
    zoom = focal_px / _CANONICAL_FOCAL_PX
    things = []
    for item, mask in zip(placed, _visible([item.full for item in placed]), strict=True):
        _blend(rgb, item)
        distance = world.distance(item.contact)
        labels[mask] = CLASSES.index(item.figure.kind)
        canonical[mask] = distance
        things.append(_thing(item, mask, distance * zoom))
    things.sort(key=lambda thing: thing.box[0] + thing.box[2])
    return Scene(seed, _develop(rng, rgb), labels, canonical * np.float32(zoom), focal_px, tuple(things))


def _size(rng: Rng) -> tuple[int, int]:
    while True:
        low, high = (256, 320) if rng.random() < 0.75 else (224, 352)
        width, height = (int(v) for v in rng.integers(low, high + 1, 2))
        if 0.67 <= width / height <= 1.5:
            return width, height


def _stage(rng: Rng, width: int, height: int) -> _World:
    edge = int(height * rng.uniform(0.25, 0.5))
    outdoors = rng.random() < 0.5
    ground = (("grass", "sand") if outdoors else ("wood floor", "stone floor"))[int(rng.integers(2))]
    gap = _HORIZON_GAP_PX if outdoors else int(rng.integers(18, 46))
    scale = GROUND_SCALE[ground]
    behind = "sky" if outdoors else ("brick wall", "wood wall")[int(rng.integers(2))]
    far = sky(rng, edge, width) if outdoors else WALLS[behind](rng, edge, width, gap)
    rgb = np.concatenate([far, GROUNDS[ground](rng, height - edge, width, gap)])
    labels = np.full((height, width), CLASSES.index(ground), np.uint8)
    labels[:edge] = CLASSES.index(behind)
    rows = np.maximum(np.arange(height), edge) - (edge - gap)
    depth = np.repeat(np.clip(scale / rows, _NEAREST_M, _FARTHEST_M).astype(np.float32)[:, None], width, axis=1)
    if outdoors:
        depth[:edge] = 0
    return _World(rgb, labels, depth, edge, edge - gap, scale)


def _cast(rng: Rng) -> list[tuple[str, str]]:
    """Kinds and colours of the things of a scene; persons and the sign first, because they are the hardest to place."""
    count = int(rng.choice(5, p=_COUNT_WEIGHTS)) + 1
    special = ["person"] * (1 + int(rng.random() < 0.12)) if rng.random() < 0.55 else []
    if rng.random() < 0.5:
        special.append("sign")
    share = count >= 2 and rng.random() < 0.3
    room = count - 2 if share else count
    rng.shuffle(special)
    special = sorted(special[:room])
    kinds = special + [SHAPES[int(v)] for v in rng.integers(0, len(SHAPES), count - len(special))]
    colours = [COLOURS[int(v)] for v in rng.integers(0, len(COLOURS), count)]
    if share:
        kinds[-1] = kinds[-2]
        colours[-1] = colours[-2] if rng.random() < 0.5 else colours[-1]
    return [
        (kind, ("white", "yellow")[int(rng.integers(2))] if kind == "sign" else colour)
        for kind, colour in zip(kinds, colours, strict=True)
    ]


def _populate(
    rng: Rng, world: _World, cast: Sequence[tuple[str, str]], lettering: Lettering = "opencv"
) -> list[_Placed]:
    """The things that found a place, the farthest first."""
    placed: list[_Placed] = []
    colours = [colour for _, colour in cast]
    for kind, colour in cast:
        # Two things of one colour would merge without an edge.
        most, edged = int(world.labels.shape[0] * 0.78), colours.count(colour) > 1
        figure = draw_figure(rng, kind, colour, most, edged, lettering)
        for _ in range(_TRIES):
            item = _drop(rng, world, figure)
            trial = sorted([*placed, item], key=lambda other: other.contact)
            if _acceptable(trial, item):
                placed = trial
                break
    return placed


def _drop(rng: Rng, world: _World, figure: Figure) -> _Placed:
    rows, columns = world.labels.shape
    height, width = figure.alpha.shape
    left = int(rng.integers(_MARGIN_PX, columns - _MARGIN_PX - width + 1))
    contact = int(rng.integers(max(world.edge + 4, _MARGIN_PX + height - 1), rows - _MARGIN_PX))
    top = contact - height + 1
    full = np.zeros((rows, columns), np.bool_)
    full[top : contact + 1, left : left + width] = figure.alpha >= 0.5
    return _Placed(figure, left, top, full)


def _acceptable(placed: Sequence[_Placed], latest: _Placed) -> bool:
    for other in placed:
        if other is latest:
            continue
        apart = np.hypot(other.centre[0] - latest.centre[0], other.centre[1] - latest.centre[1])
        if apart < _MIN_APART_PX + 6 or other.contact == latest.contact:
            return False
    for position, (item, mask) in enumerate(zip(placed, _visible([item.full for item in placed]), strict=True)):
        area = np.count_nonzero(mask)
        if area < max(_MIN_VISIBLE * np.count_nonzero(item.full), _MIN_AREA_PX):
            return False
        if item.figure.plate and any(_covers_plate(nearer, item) for nearer in placed[position + 1 :]):
            return False
    centres = np.array([_box_centre(mask) for mask in _visible([item.full for item in placed])])
    gaps = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) + np.eye(len(centres)) * 1e6
    return bool(gaps.min() >= _MIN_APART_PX)


def _covers_plate(nearer: _Placed, sign: _Placed) -> bool:
    assert sign.figure.plate is not None
    x1, y1, x2, y2 = sign.figure.plate
    rows, columns = slice(sign.top + y1 - 2, sign.top + y2 + 2), slice(sign.left + x1 - 2, sign.left + x2 + 2)
    return bool(nearer.full[rows, columns].any())


def _visible(full: Sequence[Mask]) -> list[Mask]:
    """The visible part of each mask, given farthest first, where nearer ones hide it."""
    visible: list[Mask] = []
    hidden: Mask | None = None
    for mask in reversed(full):
        visible.append(mask if hidden is None else mask & ~hidden)
        hidden = mask if hidden is None else hidden | mask
    return visible[::-1]


def _box(mask: Mask) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, x + width, y + height


def _box_centre(mask: Mask) -> tuple[float, float]:
    x1, y1, x2, y2 = _box(mask)
    return (x1 + x2) / 2, (y1 + y2) / 2


def _thing(item: _Placed, mask: Mask, distance: float) -> Thing:
    x1, y1, x2, y2 = _box(mask)
    figure, joints = item.figure, None
    if figure.joints is not None:
        joints = np.ones((16, 3), np.float32)
        joints[:, :2] = figure.joints + np.array((item.left, item.top))
        for joint in joints:
            column, row = int(joint[0]), int(joint[1])
            joint[2] = mask[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4].any()
    box = (float(x1), float(y1), float(x2), float(y2))
    return Thing(figure.kind, figure.colour, box, mask, distance, figure.digits, joints)


def _cast_shadow(rng: Rng, world: _World, item: _Placed) -> None:
    """Darken a soft ellipse of ground around the contact."""
    rows, columns = world.labels.shape
    reach = max(12, int(item.figure.alpha.shape[1] * rng.uniform(0.4, 0.55)))
    flat = max(4, reach // 5)
    y1, y2 = max(world.edge, item.contact - 2 * flat), min(rows, item.contact + 2 * flat)
    x1, x2 = max(0, int(item.centre[0]) - 2 * reach), min(columns, int(item.centre[0]) + 2 * reach)
    across = (np.arange(x1, x2, dtype=np.float32)[None] - item.centre[0]) / reach
    down = (np.arange(y1, y2, dtype=np.float32)[:, None] - item.contact) / flat
    dark = np.clip(1.4 - across**2 - down**2, 0, 1) * rng.uniform(0.2, 0.5)
    world.rgb[y1:y2, x1:x2] *= (1 - dark)[..., None].astype(np.float32)


def _blend(rgb: F32, item: _Placed) -> None:
    height, width = item.figure.alpha.shape
    area = rgb[item.top : item.top + height, item.left : item.left + width]
    area += item.figure.alpha[..., None] * (item.figure.rgb - area)


def _develop(rng: Rng, rgb: F32) -> NDArray[np.uint8]:
    """Light from one side, a colour cast, blur, noise, and the frame."""
    height, width = rgb.shape[:2]
    across, down = rng.uniform(-0.1, 0.1, 2)
    light = (
        rng.uniform(0.9, 1.08) + across * np.linspace(-1, 1, width)[None] + down * np.linspace(-1, 1, height)[:, None]
    )
    if rng.random() < 0.3:
        light = light + noise(rng, height, width, 20.0) * 0.03
    lit = rgb * light[..., None].astype(np.float32)
    lit *= (1 + rng.normal(0, 0.025, 3)).astype(np.float32)
    if rng.random() < 0.25:
        lit = np.asarray(cv2.GaussianBlur(lit, (3, 3), rng.uniform(0.4, 0.9)), dtype=np.float32)
    lit += sensor_noise(rng, height, width) * np.float32(8 * rng.random() ** 1.5)
    image = np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)
    draw_frame(rng, image)
    return image


_APART_PX, _LARGER, _FARTHER = 24.0, 1.4, 1.2


def referring(scene: Scene) -> list[tuple[str, int]]:
    """Phrases that fit exactly one thing by a clear margin, each with the thing's index."""
    everything = list(range(len(scene.things)))
    phrases: list[tuple[str, int]] = []
    for kind in THINGS:
        same = [i for i in everything if scene.things[i].kind == kind]
        phrases += [(f"the {kind}", same[0])] if len(same) == 1 else _sided(scene, same, kind)
        if len(same) >= 2:
            phrases += _extremes(scene, same, _area, _LARGER, f"the smallest {kind}", f"the largest {kind}")
            phrases += _extremes(scene, same, _distance, _FARTHER, f"the nearest {kind}", f"the farthest {kind}")
        for colour in COLOURS:
            alike = [i for i in same if scene.things[i].colour == colour]
            name = f"{colour} {kind}"
            phrases += [(f"the {name}", alike[0])] if len(alike) == 1 else _sided(scene, alike, name)
    if len(everything) >= 2:
        phrases += _extremes(scene, everything, _area, _LARGER, "", "the largest object")
        phrases += _ends(scene, everything, "the leftmost object", "the rightmost object")
    return phrases


def _area(thing: Thing) -> float:
    return float(np.count_nonzero(thing.mask))


def _distance(thing: Thing) -> float:
    return thing.distance


def _middle(thing: Thing) -> float:
    return (thing.box[0] + thing.box[2]) / 2


def _sided(scene: Scene, two: list[int], name: str) -> list[tuple[str, int]]:
    return _ends(scene, two, f"the left {name}", f"the right {name}") if len(two) == 2 else []


def _ends(scene: Scene, indices: list[int], left: str, right: str) -> list[tuple[str, int]]:
    ranked = sorted(indices, key=lambda i: _middle(scene.things[i]))
    x = [_middle(scene.things[i]) for i in ranked]
    found = [(left, ranked[0])] if x[1] - x[0] >= _APART_PX else []
    return [*found, (right, ranked[-1])] if x[-1] - x[-2] >= _APART_PX else found


def _extremes(
    scene: Scene, indices: list[int], measure: Callable[[Thing], float], ratio: float, least: str, most: str
) -> list[tuple[str, int]]:
    ranked = sorted(indices, key=lambda i: measure(scene.things[i]))
    values = [measure(scene.things[i]) for i in ranked]
    found = [(least, ranked[0])] if least and values[1] >= ratio * values[0] else []
    return [*found, (most, ranked[-1])] if values[-1] >= ratio * values[-2] else found
