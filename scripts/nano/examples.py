"""Shards of drawn scenes: whole ones at several scales, parts of enlarged ones, and crops around things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from scripts.nano.answers import Frame, frame_of
from scripts.nano.lessons import CHINESE_SHARE, lessons, pose_lesson
from scripts.nano.scenes import COLOURS, THINGS, Scene, draw
from scripts.nano.shards import Shard, Taught, bare_targets, teach
from scripts.nano.targets import DEPTH_PX, LABEL_PX, TOKEN_PX, U8, Targets, sampled, scene_targets
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.images.crop import make_crop
from youtu_gguf.images.load import prepare

MAX_TOKENS = 2048
SHARD_TOKENS, MOST_IMAGES = 2048, 32
"""Image tokens of a shard, about; and its images at most."""
SIGNS_SHARE = 0.15
"""Share of scenes that are full of signs: reading needs more examples than any other task. With more of them, every
phrase would mean a sign."""
REPEATED_SHARE, THREE_SHARE = 0.2, 0.3
"""Share of scenes that repeat one kind of thing, and of these the share with three of it: without them nano lists one
of two things of a kind twice."""
GRIDS = tuple((r, c) for r in range(7, 12) for c in range(7, 12) if r * c <= 100 and 2 * max(r, c) <= 3 * min(r, c))
"""Rows and columns of image tokens for which scenes are drawn, before they are enlarged."""
GRID_WEIGHTS = np.array([(rows * cols) ** -2.0 for rows, cols in GRIDS])
GRID_WEIGHTS /= GRID_WEIGHTS.sum()
"""How often each grid is drawn: small ones more often, since a training step on them costs less."""
PLAIN_SHARE = 0.72
"""Share of the shards of whole scenes that are not enlarged."""
MOST_ENLARGED = 4.0
VIEW_SCALES = (1.0, 2.4)
CORE_SIZES = (192, 272)
LARGE_CORE_SHARE, LARGEST_CORE = 0.4, 1280
"""Share of the crops that are larger than these, and the package's default."""
MAX_CORE_TOKENS, MANY_TOKENS = 2048, 100
MAX_VIEW_TOKENS = 160


def n_images(rows: int, cols: int) -> int:
    """Return how many images a shard of a grid has."""
    return min(MOST_IMAGES, max(1, SHARD_TOKENS // (rows * cols)))


def some_grid(rng: np.random.Generator) -> tuple[int, int]:
    """Draw the grid of a scene that is not enlarged."""
    return GRIDS[int(rng.choice(len(GRIDS), p=GRID_WEIGHTS))]


def some_scale(rng: np.random.Generator) -> float:
    """Draw how much a scene is enlarged: each doubling is half as frequent as the one before it."""
    if rng.random() < PLAIN_SHARE:
        return 1.0
    return float(min(MOST_ENLARGED, 2.0 ** rng.exponential(0.9)))


def make_scenes(seed: int, tokenizer: Tokenizer) -> Shard:
    """Draw whole scenes, of one grid and scale, with their lessons."""
    rng = np.random.default_rng([seed, 3])
    grid, scale = some_grid(rng), some_scale(rng)
    rows, cols = (int(np.ceil(n * scale)) for n in grid)
    images = []
    for number in range(n_images(rows, cols)):
        rgb, scene, frame = _enlarged(seed + number, rows, cols, scale)
        own = np.random.default_rng([seed + number, 1])
        images.append((rgb, scene_targets(scene, rows, cols, scale), _taught(scene, frame, own, tokenizer)))
    return Shard.of("scene", (rows, cols), images)


def make_views(seed: int) -> Shard:
    """Draw parts of enlarged scenes, as tiles show them: without lessons, and without the frame on most sides."""
    rng = np.random.default_rng([seed, 4])
    scale = float(np.exp(rng.uniform(*np.log(VIEW_SCALES))))
    rows, cols = (int(np.ceil(n * scale)) for n in some_grid(rng))
    tall = int(rng.integers(max(3, rows // 2), rows + 1))
    wide = int(rng.integers(max(3, cols // 2), cols + 1))
    tall, wide = min(tall, MAX_VIEW_TOKENS // 8), min(wide, MAX_VIEW_TOKENS // 8)
    images: list[tuple[U8, Targets, list[Taught]]] = []
    for number in range(n_images(tall, wide)):
        rgb, scene, _ = _enlarged(seed + number, rows, cols, scale)
        top, left = int(rng.integers(0, rows - tall + 1)), int(rng.integers(0, cols - wide + 1))
        whole = scene_targets(scene, rows, cols, scale)
        labels = _part(whole.labels, TOKEN_PX // LABEL_PX, top, left, tall, wide)
        bins = _part(whole.bins, TOKEN_PX // DEPTH_PX, top, left, tall, wide)
        images.append((_part(rgb, TOKEN_PX, top, left, tall, wide), bare_targets(tall, wide, labels, bins), []))
    return Shard.of("view", (tall, wide), images)


def _part(array: Any, px: int, top: int, left: int, tall: int, wide: int) -> Any:
    return np.ascontiguousarray(array[top * px : (top + tall) * px, left * px : (left + wide) * px])


def _drawn(seed: int, width: int, height: int, lot: float) -> Scene:
    """Draw a scene; `lot`, from 0 to 1, decides whether it is full of signs, repeats a kind of thing, or neither."""
    rng = np.random.default_rng([seed, 5])
    cast = None
    if lot < SIGNS_SHARE:
        cast = _signs(rng)
    elif lot < SIGNS_SHARE + REPEATED_SHARE:
        cast = _repeated(rng)
    return draw(seed, (width, height), cast=cast, lettering="own" if rng.random() < 0.5 else "opencv")


def _enlarged(seed: int, rows: int, cols: int, scale: float) -> tuple[U8, Scene, Frame]:
    """Draw a scene that, `scale` times as large, has this grid; return it prepared, as it is, and the frame."""
    rng = np.random.default_rng([seed, 6])
    width, height = (_side(n, scale, float(rng.random())) for n in (cols, rows))
    scene = _drawn(seed, width, height, float(rng.random()))
    prepared, _ = prepare(scene.rgb, MAX_TOKENS, scale)
    assert prepared.rgb.shape == (rows * TOKEN_PX, cols * TOKEN_PX, 3), (prepared.rgb.shape, rows, cols, scale)
    return prepared.rgb, scene, frame_of(scene, cols * TOKEN_PX, rows * TOKEN_PX)


def _side(n_tokens: int, scale: float, share: float) -> int:
    """Return a side of an image, one of those that have `n_tokens` when enlarged."""
    least, most = int((n_tokens - 1) * TOKEN_PX / scale) + 1, int(n_tokens * TOKEN_PX / scale)
    return most - int(share * (most - least + 1))


def _signs(rng: np.random.Generator) -> list[tuple[str, str]]:
    cast = [("sign", ("white", "yellow")[int(rng.integers(2))]) for _ in range(int(rng.integers(2, 5)))]
    return [*cast, _shape(rng)]


def _repeated(rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return two or three things of one kind, as often of one colour as not, up to two shapes, and at times a sign."""
    count = 3 if rng.random() < THREE_SHARE else 2
    kind = THINGS[int(rng.integers(6))]
    first = _colour(rng)
    alike = rng.random() < 0.5
    cast = [(kind, first if alike else _colour(rng)) for _ in range(count)]
    others = [_shape(rng) for _ in range(rng.integers(0, 3))]
    sign = [("sign", "yellow")] if rng.random() < 0.3 else []
    return [*sign, *cast, *others]


def _shape(rng: np.random.Generator) -> tuple[str, str]:
    return THINGS[int(rng.integers(5))], _colour(rng)


def _colour(rng: np.random.Generator) -> str:
    return COLOURS[int(rng.integers(len(COLOURS)))]


def _taught(scene: Scene, frame: Frame, rng: np.random.Generator, tokenizer: Tokenizer) -> list[Taught]:
    found = [teach(tokenizer, lesson) for lesson in lessons(scene, frame, rng)]
    pose = pose_lesson(scene, frame, "zh" if rng.random() < CHINESE_SHARE / 2 else "en")
    return [*found, teach(tokenizer, pose)] if pose else found


class CoreCrops:
    """Crops of things, collected by grid until a grid has enough for a shard."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, int], list[tuple[U8, U8]]] = {}

    def add(self, seed: int) -> Iterator[Shard]:
        """Draw a scene and add the crops of its things; yield the shards that become full."""
        scene, rng = draw(seed), np.random.default_rng([seed, 2])
        for thing in scene.things:
            crop, mask = core_example(scene, thing.mask, thing.box, _core_size(rng), rng)
            prepared, _ = prepare(crop, MAX_CORE_TOKENS)
            rows, cols = prepared.rgb.shape[0] // TOKEN_PX, prepared.rgb.shape[1] // TOKEN_PX
            small = cv2.resize(mask, (cols * TOKEN_PX, rows * TOKEN_PX), interpolation=cv2.INTER_NEAREST)
            group = self._groups.setdefault((rows, cols), [])
            group.append((prepared.rgb, sampled(small, LABEL_PX)))
            if len(group) == _n_crops(rows * cols):
                yield _core_shard(rows, cols, self._groups.pop((rows, cols)))


def _core_size(rng: np.random.Generator) -> int:
    """Draw the short side of a crop; the larger, the rarer, in steps of tokens where few of a size come together."""
    low, high = CORE_SIZES
    if rng.random() >= LARGE_CORE_SHARE:
        return int(rng.integers(low, high + 1))
    larger = high * 2.0 ** rng.exponential(0.6)
    return LARGEST_CORE if larger > LARGEST_CORE * 0.8 else round(larger / 64) * 64


def _n_crops(n_tokens: int) -> int:
    """Return how many crops of so many image tokens make a shard; there are many large grids, so few of each."""
    return min(24, SHARD_TOKENS // n_tokens) if n_tokens <= MANY_TOKENS else max(1, min(4, SHARD_TOKENS // n_tokens))


def _core_shard(rows: int, cols: int, crops: Sequence[tuple[U8, U8]]) -> Shard:
    return Shard.of("core", (rows, cols), [(rgb, bare_targets(rows, cols, labels), []) for rgb, labels in crops])


def core_example(
    scene: Scene,
    mask: npt.NDArray[np.bool_],
    box: tuple[float, float, float, float],
    crop_size: int,
    rng: np.random.Generator,
) -> tuple[U8, U8]:
    """Return the crop of a thing and its mask in the crop; the box is shifted at random by up to 6 % of its sides."""
    side = np.tile([box[2] - box[0], box[3] - box[1]], 2)
    shaken = np.asarray(box) + rng.normal(0, 0.03, 4).clip(-0.06, 0.06) * side * (rng.random() < 0.7)
    crop, region = make_crop(scene.rgb, shaken.tolist(), crop_size=crop_size)
    part = mask[region.top : region.bottom, region.left : region.right].astype(np.uint8)
    in_crop: Any = cv2.resize(part, crop.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return crop, in_crop
