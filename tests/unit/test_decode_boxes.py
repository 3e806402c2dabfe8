import numpy as np
import pytest

from youtu_gguf.decode.boxes import FoundBoxes, parse_boxes
from youtu_gguf.types import Size

GOOD = "<box><x_10><y_20><x_30><y_40></box>"
ROW = [10.0, 20.0, 30.0, 40.0]


def messages(found: FoundBoxes) -> list[str]:
    return [issue.message for issue in found.issues]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (GOOD, ("",)),
        (f"<ref>cat</ref>{GOOD}", ("cat",)),
        (f"<ref>猫</ref>: {GOOD}.", ("猫",)),
        (f"<ref>a<b</ref>{GOOD}", ("a<b",)),
        (f"<ref></ref>{GOOD}", ("",)),
        (f"<person>{GOOD}</person>", ("",)),
        ("<ref>cat</ref><box> <x_10>, <y_20>\n<x_30><y_40> </box>", ("cat",)),
    ],
)
def test_a_good_answer_gives_its_box_and_no_issue(text: str, labels: tuple[str, ...]) -> None:
    found = parse_boxes(text)

    assert found.xyxy.tolist() == [ROW]
    assert found.labels == labels
    assert found.issues == ()


@pytest.mark.parametrize("text", ["", "I see no cat.", "<ref>cat</ref>", "<mask>(0, 12)</mask>", "<depth>"])
def test_an_answer_without_boxes_gives_none(text: str) -> None:
    found = parse_boxes(text)

    assert found.xyxy.shape == (0, 4)
    assert found.labels == ()


def test_one_name_serves_several_boxes_until_the_next_name() -> None:
    other = GOOD.replace("x_10", "x_11")

    found = parse_boxes(f"{GOOD}<ref>cup</ref>{GOOD}{other}<ref>pen</ref>{GOOD}", default_label="thing")

    assert found.labels == ("thing", "cup", "cup", "pen")
    assert found.xyxy[:, 0].tolist() == [10, 10, 11, 10]
    assert found.issues == ()


@pytest.mark.parametrize(
    "text",
    [
        "<box><x_10><y_20><x_30></box>",
        "<box><x_10><y_20><x_30><y_40><x_50></box>",
        "<box><y_20><x_10><y_40><x_30></box>",
        "<box><x_10><x_30><y_20><y_40></box>",
        "<box></box>",
        "<box>10, 20, 30, 40</box>",
        "<box><x_10><y_20><x_30><y_40",
        "<box><x_10><y_20><x_30><y_-4></box>",
        "<box><x_10><y_20><x_30><v_1.0></box>",
        "<box><x_10><y_20><x_30><y_40.5></box>",
        "<box><x_10><y_20><x_30><y_４０></box>",
        "<box>＜x_10＞<y_20><x_30><y_40></box>",
        "<box><X_10><Y_20><X_30><Y_40></box>",
        "<box><x_10><y_20><ref>cat</ref><x_30><y_40></box>",
        "<box><box><x_10><y_20></box><x_30><y_40></box>",
    ],
)
def test_a_box_that_is_not_x_y_x_y_is_reported_not_guessed(text: str) -> None:
    found = parse_boxes(text)

    assert len(found.xyxy) == 0
    assert any(message.startswith("a box needs x, y, x, y") for message in messages(found))


def test_box_with_three_coordinates_leaves_its_neighbours_alone() -> None:
    found = parse_boxes(f"<ref>a</ref>{GOOD}<ref>b</ref><box><x_1><y_2><x_3></box><ref>c</ref>{GOOD}")

    assert found.labels == ("a", "c")
    assert messages(found) == ["a box needs x, y, x, y; got 3 readable number(s), dropped"]


@pytest.mark.parametrize(
    ("text", "row", "message"),
    [
        ("<box><x_30><y_20><x_10><y_40></box>", ROW, "box corners are swapped, put in order"),
        ("<box><x_30><y_40><x_10><y_20></box>", ROW, "box corners are swapped, put in order"),
        ("<box><x_10><y_20><x_10><y_40></box>", [10, 20, 10, 40], "box has no area"),
        ("<box><x_10><y_20><x_101><y_40></box>", [10, 20, 101, 40], "box reaches beyond the 100x50 image"),
        ("<box><x_10><y_20><x_30><y_51></box>", [10, 20, 30, 51], "box reaches beyond the 100x50 image"),
        ("<box><x_10><y_20><x_30><y_40>", ROW, "<box> is not closed"),
        ("<box><x_10><y_20><x_30><y_40></bo", ROW, "<box> is not closed"),
        (f"{GOOD}{GOOD}", ROW, "repeated box, dropped"),
        (GOOD.replace("<box>", "<Box>"), ROW, "'<Box>' is read as <box>"),
        (f"{GOOD}</box>", ROW, "</box> closes nothing"),
        (f"{GOOD}<x_1><y_2>", ROW, "2 number(s) outside any block, ignored"),
    ],
)
def test_a_flawed_box_is_kept_as_written_and_reported(text: str, row: list[float], message: str) -> None:
    found = parse_boxes(text, size=Size(100, 50))

    assert found.xyxy.tolist() == [row]
    assert messages(found) == [message]


def test_a_box_that_touches_the_border_lies_inside() -> None:
    found = parse_boxes("<box><x_0><y_0><x_100><y_50></box>", size=Size(100, 50))

    assert found.issues == ()


def test_the_same_box_under_two_names_is_two_objects() -> None:
    found = parse_boxes(f"<ref>a</ref>{GOOD}<ref>b</ref>{GOOD}")

    assert found.labels == ("a", "b")
    assert found.issues == ()


def test_boxes_are_read_only_float32() -> None:
    found = parse_boxes(GOOD)

    assert found.xyxy.dtype == np.float32
    assert not found.xyxy.flags.writeable


def test_leading_zeros_are_read_as_the_number_they_write() -> None:
    assert parse_boxes("<box><x_010><y_020><x_0030><y_40></box>").xyxy.tolist() == [ROW]


def test_a_name_too_long_to_be_one_is_not_carried_by_every_box() -> None:
    found = parse_boxes("<ref>" + "n" * 5000 + f"</ref>{GOOD}", default_label="cup")

    assert found.labels == ("cup",)
    assert messages(found) == ["a name of 5000 characters, more than 1000, ignored"]


def test_carriage_returns_nul_and_lone_surrogates_between_tags_change_nothing() -> None:
    found = parse_boxes("<ref>cat</ref>\r\n\x00<box>\r\n<x_10>\ud800<y_20>\x00<x_30><y_40></box>\udfff")

    assert (found.xyxy.tolist(), found.labels, found.issues) == ([ROW], ("cat",), ())
