import pytest

from youtu_gguf.decode.classes import FoundClasses, parse_classes

TAIL = ", numbered sequentially starting from 0"


def messages(found: FoundClasses) -> list[str]:
    return [issue.message for issue in found.issues]


@pytest.mark.parametrize(
    ("text", "names", "background"),
    [
        (f"The target categories include <ref>road</ref><ref>sky</ref>{TAIL}", ("road", "sky"), False),
        ("<ref>道路</ref><ref>a<b</ref>", ("道路", "a<b"), False),
        ("<ref>road</ref><ref><OTHERS></ref>", ("road",), True),
        ("<ref>road</ref><OTHERS>", ("road",), True),
        ("The results are 0 for <ref><BG></ref> and 1 for <ref><FG></ref>.", ("<BG>", "<FG>"), False),
        ("The results are 0 for <ref><FG></ref> and 1 for <ref><BG></ref>.", ("<FG>", "<BG>"), False),
        (
            "The results are 1 for <ref><FG></ref> and 0 for <ref><BG></ref>.",
            ("<FG>", "<BG>"),
            False,
        ),
        ("This is the <depth>, log-uniform quantified to 1-1000 from 0.5-100m at focal length 2000.", (), False),
        ("<ref>a</ref>.<mask>(0, 12),(1, 3)<ref>b</ref></mask>", ("a",), False),
        ("<ins><ref>a</ref></ins><person><ref><OTHERS></ref></person>", ("a",), True),
        ("", (), False),
        ("There is nothing.", (), False),
    ],
)
def test_names_come_in_order_up_to_the_mask(text: str, names: tuple[str, ...], background: bool) -> None:
    found = parse_classes(text)

    assert (found.names, found.background, found.issues) == (names, background, ())


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("<ref>a</ref><ref>b</ref><ref>a</ref>", ("a", "b"), ["class 'a' is named again, dropped"]),
        ("<ref>a</ref><ref></ref>", ("a",), ["class name is empty, dropped"]),
        ("<ref>a</ref><ref>ro", ("a",), ["<ref> is not closed", "class name is cut off, dropped"]),
        ("<ref>a<ref>b</ref>", ("a", "b"), ["<ref> is not closed"]),
        ("<ref>a</ref>.<mask>(0, 12),(1,", ("a",), ["<mask> is not closed"]),
        ("<ref>a</ref></ref>", ("a",), ["</ref> closes nothing"]),
        ("<ref>a</ref><ref>< others ></ref>", ("a",), ["'< others >' is read as <OTHERS>"]),
        ("<ref>a</ref><Others>", ("a",), ["'<Others>' is read as <OTHERS>"]),
        (
            "<ref>a</ref><ref>" + "n" * 1001 + "</ref>",
            ("a",),
            [
                "class name is empty, dropped",
                "a name of 1001 characters, more than 1000, ignored",
            ],
        ),
    ],
)
def test_a_flawed_name_is_reported(text: str, names: tuple[str, ...], expected: list[str]) -> None:
    found = parse_classes(text)

    assert found.names == names
    assert messages(found) == expected
