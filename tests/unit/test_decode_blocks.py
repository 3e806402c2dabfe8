import pytest

from youtu_gguf.decode.grammar import Block, by_place, leaves, read_blocks
from youtu_gguf.types import Issue


def read(text: str) -> tuple[list[Block], list[Issue]]:
    issues: list[Issue] = []
    return list(read_blocks(text, issues)), issues


def names(text: str) -> list[str]:
    return [block.name for block in read(text)[0]]


def messages(text: str) -> list[str]:
    return [issue.message for issue in read(text)[1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<ref>cat</ref>", "cat"),
        ("<ref> cat \n</ref>", "cat"),
        ("<ref>a<b</ref>", "a<b"),
        ("<ref>a<x_12</ref>", "a<x_12"),
        ("<ref><BG></ref>", "<BG>"),
        ("<ref>红色的杯子</ref>", "红色的杯子"),
        ("<ref>cat<box>", "cat"),
        ("<ref>cat<ref>dog</ref>", "cat"),
        ("<ref>cat<x_1>", "cat"),
        ("<ref>cat", "cat"),
        ("<ref></ref>", ""),
        ("<ref>the <Box> button</ref>", "the <Box> button"),
        ("<ref>cat</REF><box>", "cat"),
        ("<ref>cat</ ref >", "cat"),
        ("<ref>cat</re<box>", "cat"),
        ("<ref>cat</<box>", "cat"),
        ("<ref>c\x00at\ud800\r\n</ref>", "c\x00at\ud800"),
        ("<ref>" + "n" * 1000 + "</ref>", "n" * 1000),
        ("<ref>" + "n" * 1001 + "</ref>", ""),
    ],
)
def test_a_name_runs_to_the_next_block_tag(text: str, expected: str) -> None:
    first = read(text)[0][0]

    assert (first.name, first.words) == ("ref", expected)


def test_a_well_formed_answer_has_no_issues() -> None:
    text = "<ref>a</ref><box><x_1><y_2><x_3><y_4></box> and <depth> <person><kpt><x_1><y_2></kpt></person>"

    assert names(text) == ["ref", "box", "depth", "person"]
    assert messages(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<box><x_1>", ["<box> is not closed"]),
        ("<box><box></box>", ["<box> is not closed"]),
        ("<ins><poly></ins>", ["<poly> is not closed"]),
        ("<ins><ins></ins>", ["<ins> is not closed"]),
        ("<person><box></box>", ["<person> is not closed"]),
        ("</box>", ["</box> closes nothing"]),
        ("<ins></person></ins>", ["</person> closes nothing"]),
        ("<box></poly>", ["<box> is not closed", "</poly> closes nothing"]),
        ("<x_1><y_2> and", ["2 number(s) outside any block, ignored"]),
        ("<box><x_1><y_</box>", ["1 unreadable number(s), the first '<y_'"]),
        ("the <x_axis> of the plot", []),
        ("<BOX><x_1>< / box >", ["'<BOX>' is read as <box>", "'< / box >' is read as </box>"]),
        ("<ref>the <Box> button</ref>", []),
        ("<ref>cat</REF>", ["'</REF>' is read as </ref>"]),
        ("<box><X_12></box>", ["1 unreadable number(s), the first '<X_12>'"]),
        ("<ref>" + "n" * 1001 + "</ref>", ["a name of 1001 characters, more than 1000, ignored"]),
    ],
)
def test_a_flaw_of_structure_is_an_issue(text: str, expected: list[str]) -> None:
    assert messages(text) == expected


def test_an_issue_points_at_its_place() -> None:
    text = "see <box><x_1><y_2"

    assert [text[issue.start : issue.end] for issue in by_place(read(text)[1])] == ["<box><x_1><y_2", "<y_2"]


def test_only_the_block_at_the_end_of_the_text_is_cut() -> None:
    blocks, _ = read("<ref>cat<ref>do")

    assert [block.cut for block in blocks] == [False, True]


def test_leaves_come_from_inside_containers_too() -> None:
    blocks, _ = read("<ref>a</ref><person><box></box><kpt></kpt></person><box></box>")

    assert [leaf.name for leaf in leaves(blocks)] == ["ref", "box", "kpt", "box"]


def test_nesting_never_grows_deeper_than_two_levels() -> None:
    blocks, _ = read("<ins><person><poly>" * 2000)

    assert not any(child.children for block in blocks for child in block.children)
