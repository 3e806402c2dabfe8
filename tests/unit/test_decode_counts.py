"""The number of a counting answer: read where there is exactly one, reported where not."""

import pytest

from youtu_gguf.decode.counts import parse_count


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0", 0),
        (" 12.\n", 12),
        ("There are 3 dogs.", 3),
        ("**4**", 4),
        ("1,234", 1234),
        ("1,234,567 grains", 1234567),
        ("3 dogs; the final answer is 3", 3),
        ("图中有3只狗。", 3),
        ("\uff13", 3),  # a full-width digit
        ("<ref>2</ref>", 2),
    ],
)
def test_one_number_is_the_count(text: str, value: int) -> None:
    found = parse_count(text)
    assert (found.value, found.issues) == (value, ())


@pytest.mark.parametrize(
    "text",
    [
        "", "many", "three", "-3", "3.5", "1,23", "3/4", "3-4", "3–4", "50%", "2nd", "x3", "<x_3><y_4>", "3 or 4",
        "\u22123", "\uff0d3", "3\u20144", "３．５", "３，３", "3½", "3²", "3‰", "３％", "3万", "3 million", "3 dozen",
        "第3", "2 cats and 5 dogs", "9" * 5000, "1" * 10,
    ],
)  # fmt: skip
def test_anything_else_is_reported_and_not_guessed(text: str) -> None:
    found = parse_count(text)
    assert found.value is None
    (issue,) = found.issues
    assert "one whole number" in issue.message
    assert (issue.start, issue.end) == (0, len(text))


@pytest.mark.parametrize("piece", ["1", "1,", "1,111", "1.", "1 ", "-", "999,999,"])
def test_a_hostile_megabyte_is_survived(piece: str) -> None:
    parse_count(piece * (1_000_000 // len(piece)))
