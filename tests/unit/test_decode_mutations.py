"""Valid answers, damaged at random: no exception, and no number or name that the text does not hold."""

import random
import re
from collections.abc import Callable

import numpy as np
import pytest

from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.decode.tags import Spans
from youtu_gguf.types import N_JOINTS, Issue, Size

N_MUTATIONS = 3000
SIZE = Size(1000, 800)
PIECES = (
    "<ref>", "</ref>", "<box>", "</box>", "<ins>", "</ins>", "<poly>", "</poly>", "<person>", "</person>", "<kpt>",
    "</kpt>", "<mask>", "<BG>", "<OTHERS>", "<x_1500>", "<y_7>", "<x_", "<y_1", "<v_0.5>", "<v_", "<", ">", "猫", "\n",
    "<x_99999999>", "(0, 4)",
)  # fmt: skip


def points(rng: random.Random, n: int, tail: str = "") -> str:
    return "".join(f"<x_{rng.randint(0, 999)}><y_{rng.randint(0, 799)}>{tail}" for _ in range(n))


def box(rng: random.Random) -> str:
    (x0, x1), (y0, y1) = sorted(rng.sample(range(1000), 2)), sorted(rng.sample(range(800), 2))
    return f"<box><x_{x0}><y_{y0}><x_{x1}><y_{y1}></box>"


def name(rng: random.Random) -> str:
    return f"<ref>{rng.choice(['cup', '红色的杯子', 'a<b', 'x > y', 'left hand'])}</ref>"


def boxes_answer(rng: random.Random) -> str:
    return "".join(name(rng) + box(rng) * rng.randint(1, 2) for _ in range(rng.randint(1, 4)))


def polygons_answer(rng: random.Random) -> str:
    outlines = "".join(f"<poly>{points(rng, rng.randint(3, 20))}</poly>" for _ in range(rng.randint(1, 3)))
    return f"Here it is: {name(rng)}<ins>{outlines}</ins>"


def poses_answer(rng: random.Random) -> str:
    def joint() -> str:
        return f"<kpt>{points(rng, 1, rng.choice(['', '<v_1.0>', '<v_0.0>']))}</kpt>"

    people = (f"<person>{box(rng)}{''.join(joint() for _ in range(16))}</person>" for _ in range(rng.randint(1, 2)))
    return "".join(people)


def classes_answer(rng: random.Random) -> str:
    return f"The target categories include {name(rng)}{name(rng)}<ref><OTHERS></ref>, then <mask>(0, 9)</mask>"


def cut(rng: random.Random, text: str) -> str:
    return text[: rng.randint(0, len(text))]


def erase(rng: random.Random, text: str) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + text[start + rng.randint(1, 12) :]


def insert(rng: random.Random, text: str) -> str:
    start = rng.randint(0, len(text))
    return text[:start] + rng.choice(PIECES) + text[start:]


def repeat(rng: random.Random, text: str) -> str:
    start, stop = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[:stop] + text[start:stop] * rng.randint(1, 3) + text[stop:]


def move(rng: random.Random, text: str) -> str:
    start, stop = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[stop:] + text[start:stop] + text[:start]


MUTATORS: tuple[Callable[[random.Random, str], str], ...] = (cut, erase, insert, repeat, move)


def mutated(make: Callable[[random.Random], str], seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(N_MUTATIONS):
        text = make(rng)
        for _ in range(rng.randint(1, 5)):
            text = rng.choice(MUTATORS)(rng, text)
        texts.append(text)
    return texts


def written(text: str, axis: str) -> set[float]:
    """Return the complete numbers of one axis, rounded to float32 as the arrays are."""
    return {float(np.float32(number)) for number in re.findall(rf"<{axis}_([0-9]+(?:\.[0-9]+)?)>", text)}


def numbers_at(text: str, spans: Spans) -> set[float]:
    """Return the numbers whose tags stand exactly at `spans`, rounded to float32; names there are passed over."""
    tags = (re.fullmatch(r"<[xyv]_([0-9.]+)>", text[start:stop]) for start, stop in spans)
    return {float(np.float32(tag[1])) for tag in tags if tag}


def assert_places(issues: tuple[Issue, ...], text: str) -> None:
    assert all(0 <= issue.start <= issue.end <= len(text) for issue in issues)
    assert [issue.start for issue in issues] == sorted(issue.start for issue in issues)


def test_damaged_box_answers_never_raise_and_never_invent() -> None:
    for text in mutated(boxes_answer, 1):
        found = parse_boxes(text, size=SIZE, default_label="cup")

        assert set(found.xyxy[:, 0::2].ravel().tolist()) <= written(text, "x")
        assert set(found.xyxy[:, 1::2].ravel().tolist()) <= written(text, "y")
        assert all(label in text for label in found.labels if label != "cup")
        assert len(found.labels) == len(found.xyxy)
        for row, label, spans in zip(found.xyxy, found.labels, found.spans, strict=True):
            assert numbers_at(text, spans) == set(row.tolist())
            names = spans[:-4]
            assert [text[start:stop] for start, stop in names] == [label][: len(names)]
        assert_places(found.issues, text)


def test_damaged_polygon_answers_never_raise_and_never_invent() -> None:
    for text in mutated(polygons_answer, 2):
        found = parse_polygons(text, size=SIZE)

        for ring in (ring for part in found.parts for ring in part):
            assert len(ring) >= 3
            assert set(ring[:, 0].tolist()) <= written(text, "x")
            assert set(ring[:, 1].tolist()) <= written(text, "y")
        assert all(label in text for label in found.labels)
        for part, label, spans in zip(found.parts, found.labels, found.spans, strict=True):
            assert numbers_at(text, spans) == set(np.concatenate(part).ravel().tolist())
            names = spans[: len(spans) - sum(ring.size for ring in part)]
            assert [text[start:stop] for start, stop in names] == [label][: len(names)]
        assert_places(found.issues, text)


def test_damaged_pose_answers_never_raise_and_never_invent() -> None:
    for text in mutated(poses_answer, 3):
        found = parse_poses(text, size=SIZE)

        assert found.xyv.shape[1:] == (N_JOINTS, 3)
        present = found.xyv.reshape(-1, 3)
        present = present[~(present == 0).all(axis=1)]
        assert set(present[:, 0].tolist()) <= written(text, "x")
        assert set(present[:, 1].tolist()) <= written(text, "y")
        assert set(present[~np.isnan(present[:, 2]), 2].tolist()) <= written(text, "v")
        boxes = found.boxes[~np.isnan(found.boxes).any(axis=1)]
        assert set(boxes[:, 0::2].ravel().tolist()) <= written(text, "x")
        assert set(boxes[:, 1::2].ravel().tolist()) <= written(text, "y")
        for joints, corners, spans in zip(found.xyv, found.boxes, found.spans, strict=True):
            numbers = {n for n in (*joints[~(joints == 0).all(axis=1)].ravel(), *corners) if not np.isnan(n)}
            assert numbers_at(text, spans) == numbers
        assert_places(found.issues, text)


def test_damaged_class_answers_never_raise_and_never_invent() -> None:
    for text in mutated(classes_answer, 4):
        found = parse_classes(text)

        assert [text[start:stop] for ((start, stop),) in found.spans] == list(found.names)
        assert len(set(found.names)) == len(found.names)
        assert_places(found.issues, text)


def test_undamaged_answers_come_back_exactly() -> None:
    rng = random.Random(5)
    for _ in range(300):
        rows = [[float(n) for n in rng.sample(range(500), 2) + rng.sample(range(501, 999), 2)] for _ in range(3)]
        text = "".join("<ref>n{0}</ref><box><x_{0}><y_{1}><x_{2}><y_{3}></box>".format(*map(int, r)) for r in rows)
        found = parse_boxes(text, size=Size(1000, 1000))

        assert found.xyxy.tolist() == rows
        assert found.labels == tuple(f"n{int(row[0])}" for row in rows)
        assert found.issues == ()


@pytest.mark.parametrize(
    ("parse", "piece"),
    [
        (parse_boxes, "<"),
        (parse_boxes, "<box>"),
        (parse_boxes, "<ref><box><x_1>"),
        (parse_polygons, "<ins><poly><x_1><y_2>"),
        (parse_polygons, "<poly>"),
        (parse_poses, "<person><kpt>"),
        (parse_poses, "<x_"),
        (parse_classes, "<ref>"),
        (parse_classes, "<ref>a"),
    ],
)
def test_a_hostile_megabyte_is_survived(parse: Callable[[str], object], piece: str) -> None:
    parse(piece * (1_000_000 // len(piece)))


def test_a_megabyte_inside_one_block_is_survived() -> None:
    parse_poses("<person><kpt>" + "<v_1>" * 200_000)
    parse_polygons("<poly>" + "<x_" * 300_000)
