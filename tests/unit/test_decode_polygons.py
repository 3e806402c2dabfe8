import pytest

from youtu_gguf.decode.polygons import FoundPolygons, parse_polygons
from youtu_gguf.types import Size

RING = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
POLY = "<poly><x_1><y_2><x_3><y_4><x_5><y_6></poly>"
CUT = ("<poly> is not closed", "1 unreadable number(s), the first '<x_7'")
INCOMPLETE = "incomplete point in <poly>"
OTHER = POLY.replace("x_1", "x_9")


def rings(found: FoundPolygons) -> list[list[list[list[float]]]]:
    return [[ring.tolist() for ring in part] for part in found.parts]


def messages(found: FoundPolygons) -> list[str]:
    return [issue.message for issue in found.issues]


@pytest.mark.parametrize(
    ("text", "counts", "labels"),
    [
        (f"Sure: <ins>{POLY}</ins>", [1], ("thing",)),
        (f"<ins>{POLY}{OTHER}</ins>", [2], ("thing",)),
        (f"{POLY}{OTHER}", [1, 1], ("thing", "thing")),
        (f"<ref>cup</ref><ins>{POLY}</ins><ins>{OTHER}</ins>", [1, 1], ("cup", "cup")),
        (f"<ins><ref>杯</ref>{POLY}</ins>", [1], ("杯",)),
        (f"<ref>a</ref><ins>{POLY}</ins><ref>b</ref><ins>{POLY}</ins>", [1, 1], ("a", "b")),
        (f"<ins>{POLY}<ref>later</ref></ins>", [1], ("thing",)),
        (f"<person>{POLY}</person>", [1], ("thing",)),
        (f"<mask><ref>cup</ref>{POLY}</mask>{OTHER}", [1, 1], ("cup", "cup")),
        (f"<ins><ref>a</ref>{POLY}<ref>a</ref>{OTHER}</ins>", [2], ("a",)),
        ("", [], ()),
        ("No such thing.", [], ()),
    ],
)
def test_good_answers_give_objects_with_their_outlines(text: str, counts: list[int], labels: tuple[str, ...]) -> None:
    found = parse_polygons(text, default_label="thing")

    assert [len(part) for part in found.parts] == counts
    assert found.labels == labels
    assert found.issues == ()


def test_points_come_as_written() -> None:
    assert rings(parse_polygons(f"<ins>{POLY}</ins>")) == [[RING]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<poly><x_1><y_2><x_3><y_4></poly>", ["an outline needs 3 points; got 2, dropped"]),
        ("<poly></poly>", ["an outline needs 3 points; got 0, dropped"]),
        ("<ins></ins>", ["<ins> holds no outline, dropped"]),
        ("<ins>", ["<ins> is not closed", "<ins> holds no outline, dropped"]),
    ],
)
def test_an_outline_of_too_few_points_is_dropped_and_reported(text: str, expected: list[str]) -> None:
    found = parse_polygons(text)

    assert found.parts == ()
    assert messages(found) == expected


def test_an_object_keeps_its_good_outlines() -> None:
    found = parse_polygons(f"<ins><poly><x_1></poly>{POLY}</ins>")

    assert rings(found) == [[RING]]
    assert "an outline needs 3 points; got 0, dropped" in messages(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<ins>{POLY}", ["<ins> is not closed"]),
        (POLY.replace("</poly>", "<x_7"), [*CUT, "incomplete point in <poly>"]),
        (POLY.replace("</poly>", "<x_7></poly>"), ["incomplete point in <poly>"]),
        (POLY.replace("<x_1>", "<x_1><x_1>"), ["incomplete point in <poly>"]),
        (POLY.replace("<x_1>", "<y_8><x_1>"), ["incomplete point in <poly>"]),
        (POLY + POLY, ["repeated object, dropped"]),
        (POLY.replace("<x_1>", "<X_9><Y_9><x_1>"), ["2 unreadable number(s), the first '<X_9>'", INCOMPLETE]),
        (POLY.replace("<y_2>", "<y_2><v_1.0>"), ["1 visibility value(s) in an outline, ignored"]),
        (POLY[:-7] + "<ins></ins>", ["<poly> is not closed", "<ins> holds no outline, dropped"]),
    ],
)  # fmt: skip
def test_complete_points_of_a_flawed_outline_are_kept(text: str, expected: list[str]) -> None:
    found = parse_polygons(text)

    assert rings(found) == [[RING]]
    assert sorted(messages(found)) == sorted(expected)


def test_more_than_twenty_points_are_kept_and_reported() -> None:
    points = "".join(f"<x_{i}><y_{i * i}>" for i in range(21))

    found = parse_polygons(f"<ins><poly>{points}</poly></ins>")

    assert found.parts[0][0].tolist() == [[i, i * i] for i in range(21)]
    assert messages(found) == ["outline has 21 points, more than 20"]


def test_points_beyond_the_image_are_kept_and_reported() -> None:
    found = parse_polygons(POLY, size=Size(4, 100))

    assert rings(found) == [[RING]]
    assert messages(found) == ["1 point(s) of an outline lie beyond the image"]


def test_another_name_between_outlines_starts_another_object() -> None:
    found = parse_polygons(f"<ins><ref>a</ref>{POLY}<ref>b</ref>{OTHER}")

    assert (found.labels, [len(part) for part in found.parts]) == (("a", "b"), [1, 1])
    assert messages(found) == ["<ins> is not closed", "<ins> holds another name, taken as another object"]


def test_an_outline_on_a_line_is_kept_and_reported() -> None:
    found = parse_polygons("<poly><x_1><y_2><x_1><y_4><x_1><y_6></poly>")

    assert rings(found) == [[[[1, 2], [1, 4], [1, 6]]]]
    assert messages(found) == ["outline has no area"]
