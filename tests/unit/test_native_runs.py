"""Which text would overflow the tokeniser's stack."""

import pytest

from youtu_gguf.engines.native.llama.runs import MAX_RUN, check_runs
from youtu_gguf.errors import InputError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a" * (MAX_RUN + 1), "letters"),
        ("why " + "Aa" * MAX_RUN + " not", "letters"),
        ("杯" * (MAX_RUN + 1), "letters"),
        ("e\u0301" * MAX_RUN, "letters"),
        (" " * (MAX_RUN + 1), "spaces"),
        ("\n\t" * MAX_RUN, "spaces"),
        ("!?" * MAX_RUN, "signs"),
        ("\0" * (MAX_RUN + 1), "signs"),
        ("!\u0301" * MAX_RUN, "signs"),
    ],
)
def test_long_run_is_refused_by_its_kind(text: str, kind: str) -> None:
    with pytest.raises(InputError, match=f"{MAX_RUN} {kind} in a row; got"):
        check_runs(text)


@pytest.mark.parametrize("text", ["", "a" * MAX_RUN, "why " * 50_000, "7" * 50_000, "a!" * 50_000, "杯，" * 50_000])
def test_long_text_of_short_runs_passes(text: str) -> None:
    check_runs(text)
