"""Options of one run: what is filled in, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from youtu_gguf.engines.base import Sampling
from youtu_gguf.errors import InputError
from youtu_gguf.options import run_options


def test_what_was_not_given_is_the_models() -> None:
    cancel = threading.Event()
    options = run_options({"max_tokens": 7, "cancel": cancel, "strict": True}, Sampling(seed=3))
    assert options.sampling == Sampling(seed=3, max_tokens=7)
    assert (options.cancel, options.strict) == (cancel, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_token": 3}, "unknown option max_token. A task takes: strict, cancel, lang, temperature"),
        ({"cancel": "yes"}, "cancel must be a threading.Event; got 'yes'"),
        ({"strict": "no"}, "strict must be True or False; got 'no'"),
        ({"scores": "no"}, "got scores='no'"),
        ({"loop_guard": None}, "got loop_guard=None"),
        ({"max_tokens": 2.5}, "whole max_tokens and seed.*got max_tokens=2.5"),
        ({"max_tokens": True}, "got max_tokens=True"),
        ({"max_tokens": 0}, "max_tokens >= 1.*got max_tokens=0"),
        ({"seed": 1.5}, "got seed=1.5"),
        ({"seed": -1}, "got seed=-1"),
        ({"max_seconds": "3"}, "got max_seconds='3'"),
        ({"temperature": float("nan")}, "no NaN.*got temperature=nan"),
        ({"top_p": 0}, "0 < top_p <= 1.*got top_p=0"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_is_expected(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_options(given, Sampling())
