from typing import Any

import pytest

from youtu_gguf.decode.grammar import Tag, scan


def brief(text: str) -> list[Any]:
    return [(tag.kind, tag.name) if tag.value is None else (tag.name, tag.value) for tag in scan(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a cat, 3 < 4 > 2", []),
        ("<box><x_12><y_0></box>", [("open", "box"), ("x", 12.0), ("y", 0.0), ("close", "box")]),
        ("<v_1.0><v_0><v_0.25>", [("v", 1.0), ("v", 0.0), ("v", 0.25)]),
        ("<BG><FG><OTHERS><depth>", [("bare", "BG"), ("bare", "FG"), ("bare", "OTHERS"), ("bare", "depth")]),
        ("<ref>红色的杯子</ref>", [("open", "ref"), ("close", "ref")]),
        ("<x_12", [("broken", "x")]),
        ("<x_", [("broken", "x")]),
        ("<x_-5><y_1234567>", [("broken", "x"), ("broken", "y")]),
        ("<x_１２>", [("broken", "x")]),
        ("<v_1.>", [("broken", "v")]),
        ("<x_1<y_2>", [("broken", "x"), ("y", 2.0)]),
        ("<boxes><z_1><box x><ins/>", []),
        ("<x_007>", [("x", 7.0)]),
        ("<x_12.5>", [("broken", "x")]),
        ("<X_12>< x_12 ><x_ 12><x _12>", [("broken", "x")] * 4),
        ("＜y_12＞<y＿12>", [("broken", "y")] * 2),
        ("<perſon>", []),
        ("<<box>>", [("open", "box")]),
        ("</bo", []),
    ],
)
def test_tags_are_found_as_spelled_and_nothing_else(text: str, expected: list[Any]) -> None:
    assert brief(text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("<BOX>", "open", "box"),
        ("< box >", "open", "box"),
        ("<box\r\n>", "open", "box"),
        ("＜box＞", "open", "box"),
        ("</ box>", "close", "box"),
        ("< / Ref >", "close", "ref"),
        ("<／ref>", "close", "ref"),
        ("<others>", "bare", "OTHERS"),
        ("< Depth>", "bare", "depth"),
    ],
)
def test_a_tag_in_other_letters_or_with_spaces_is_found_and_called_misspelt(text: str, kind: str, name: str) -> None:
    (tag,) = scan(f"a {text} b")

    assert (tag.kind, tag.name, tag.misspelt) == (kind, name, True)
    assert tag.span == (2, 2 + len(text))


def test_an_unreadable_number_reaches_to_its_bracket() -> None:
    text = "<x_-5><y_1<v_yes>"

    assert [text[tag.start : tag.end] for tag in scan(text)] == ["<x_-5>", "<y_1", "<v_yes>"]


def test_offsets_select_the_tag_in_the_text() -> None:
    text = "here: <ref>杯</ref><box><x_10><y_20><x_3"

    assert [text[tag.start : tag.end] for tag in scan(text)] == [
        "<ref>", "</ref>", "<box>", "<x_10>", "<y_20>", "<x_3",
    ]  # fmt: skip


def test_a_tag_is_immutable() -> None:
    (tag,) = scan("<x_1>")

    with pytest.raises(AttributeError):
        tag.value = 2.0  # type: ignore[misc]
    assert tag == Tag("number", "x", 1.0, 0, 5)
