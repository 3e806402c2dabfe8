"""The page of benchmarks says what they are."""

from scripts import benchmarks_page


def test_the_page_of_benchmarks_is_made_from_them() -> None:
    written = benchmarks_page.PAGE.read_text(encoding="utf-8")
    assert written == benchmarks_page.page(), "run scripts/benchmarks_page.py"
