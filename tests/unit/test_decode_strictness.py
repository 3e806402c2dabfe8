import pytest

from youtu_gguf.decode.strictness import require
from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Issue


def test_strict_decoding_names_the_first_issue_its_place_and_the_count() -> None:
    issues = (Issue("box has no area", 12, 40), Issue("<box> is not closed", 50, 60))

    with pytest.raises(DecodeError, match=r"2 issue\(s\), the first at characters 12-40: box has no area"):
        require(issues, strict=True)


@pytest.mark.parametrize(("issues", "strict"), [((), True), ((Issue("a flaw"),), False), ((), False)])
def test_nothing_is_raised_without_both_strictness_and_issues(issues: tuple[Issue, ...], strict: bool) -> None:
    require(issues, strict)
